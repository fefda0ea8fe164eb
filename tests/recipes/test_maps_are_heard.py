"""Every map of every coupling recipe moves the streams, or the law prints which does not, and why."""

from functools import partial

import pytest
import torch
from toys import toy_encoder

from crossmodal.adapters import GuidedAdapter
from crossmodal.guidance import FrequencyGuidance
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish
from crossmodal.recipes.lite import lite
from crossmodal.site import Site, folded_axes
from crossmodal.testing import laws
from crossmodal.testing.encoder import LOCKSTEP, Whole


def asked(recipe):
    """The outcome of the law for a recipe on two toy encoders, one clip of ten frames, the second a spectrogram."""
    torch.manual_seed(0)
    visual, audio = toy_encoder((2,), width=16), toy_encoder((1,), width=16, tokens=4)
    audio.sites = tuple(
        Site(s.name, s.width, folded_axes(s.tokens // 2, 2, chunks=2), s.stage, s.block, s.part) for s in audio.sites
    )
    model = recipe(visual, audio)
    inputs = {name: torch.randn(10, sites[0].tokens, 3) for name, sites in model.sites.items()}
    return LOCKSTEP.ask(laws.every_map_is_heard_in_the_streams, Whole(model, inputs))


@pytest.mark.parametrize(
    ("recipe", "maps"),
    [
        (dg_sct, ("channel", "spatial", "temporal")),
        (partial(dg_sct, frequency=FrequencyGuidance), ("channel", "spatial", "frequency", "temporal")),
        (partial(dg_sct_released, order=dg_sct.__kwdefaults__["order"]), ("channel", "spatial")),
        (lite, ("channel", "spatial")),
    ],
)
def test_every_map_is_heard(recipe, maps):
    outcome = asked(recipe)
    assert outcome.verdict == "held", outcome
    assert all(f"map '{name}' moves the streams by " in outcome.notes for name in maps)


@pytest.mark.parametrize("recipe", [dg_sct_released, partial(dg_sct, order=GuidedAdapter)])
def test_the_published_order_says_what_is_silent_and_why(recipe):
    outcome = asked(recipe)
    assert outcome.verdict == "not applicable"
    assert outcome.words.startswith("GuidedAdapter: the bottleneck's entry norm")
    assert "not heard: spatial" in outcome.words


def test_without_maps_there_is_nothing_to_hear():
    assert asked(lavish).words == "its adapters return no maps"
