"""Ablations: of two systems that differ in one keyword, all parts that both have begin with the same weights."""

import inspect
from functools import partial

import pytest
import torch
from systems import parsed
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.adapters import (
    Bottleneck,
    FrozenMap,
    GuidedAdapter,
    NormalisedFirst,
    ResidualModulated,
    no_guide,
    shuffled,
)
from crossmodal.alignment import pooled_alignment
from crossmodal.guidance import ClipGuidance, FrequencyGuidance, LowRankChannelGuidance
from crossmodal.injection import paired_as_paper, paired_as_released
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish
from crossmodal.recipes.lite import lite
from crossmodal.tasks import ave
from crossmodal.training.choice import FED
from crossmodal.training.run import build

WORDS = {
    "channel": ([None, FrozenMap, partial(LowRankChannelGuidance, rank=2)], {"channel"}),
    "spatial": ([None, FrozenMap], {"spatial"}),
    "frequency": ([FrequencyGuidance, FrozenMap], {"spatial", "frequency"}),
    "temporal": ([None, FrozenMap, ClipGuidance], {"temporal"}),
    "alpha": ([0.5], set()),
    "beta": ([0.5], set()),
    "gamma": ([0.5], set()),
    "align": ([pooled_alignment], {"align"}),
    "latents": ([0, 3], {"latents"}),
    "bottleneck": ([partial(Bottleneck, finish=lambda width: nn.Linear(width, width))], {"finish"}),
    "order": ([GuidedAdapter, NormalisedFirst, ResidualModulated], set()),
    "adapter": ([ToyAdapter], {"visual_audio", "audio_visual"}),
    "pairing": ([paired_as_paper, paired_as_released], set()),
    "edges": ([(), (("audio", "visual"),)], set()),
    "guide": ([shuffled, no_guide], set()),
}
"""Keyword of a coupling → values in place of the usual one, and the parts of a name that are theirs."""

COUPLINGS = (dg_sct, dg_sct_released, lite, lavish)
CASES = [
    (coupling, keyword, value)
    for coupling in COUPLINGS
    for keyword in inspect.signature(coupling).parameters
    if keyword not in FED
    for value in WORDS[keyword][0]
]


def weights(coupling, **keywords):
    """Name → tensor of the couplers of two toy encoders, and what is drawn behind them, as heads are."""
    encoders = [toy_encoder((2,), width=32, tokens=4) for _ in range(2)]
    torch.manual_seed(0)
    couplers = coupling(*encoders, **keywords).couplers
    named = {name.replace(".adapter.", "."): tensor for name, tensor in couplers.state_dict().items()}
    return {**named, "behind": nn.Linear(3, 3).weight}


FULL = {coupling: weights(coupling) for coupling in COUPLINGS}


@pytest.mark.parametrize(("coupling", "keyword", "value"), CASES)
def test_every_part_that_is_not_exchanged_begins_alike(coupling, keyword, value):
    full, other = FULL[coupling], weights(coupling, **{keyword: value})
    shared = {name for name in full.keys() & other.keys() if not WORDS[keyword][1] & set(name.split("."))}
    assert "behind" in shared
    assert len(shared) > 20 or keyword == "adapter" or value == ()
    assert [name for name in shared if not torch.equal(full[name], other[name])] == []


def test_it_holds_for_a_system_as_the_command_builds_it():
    def built(*words):
        parser, given = parsed("--seed", "5", *words)
        torch.manual_seed(len(words))  # what was drawn before does not matter
        return build(parser.instantiate(given), ("red", "blue"), ave.TASK).state_dict()

    full, less = built(), built("--model.channel", "null")
    named = {name for name in full if ".channel." in name}
    assert named
    assert full.keys() - less.keys() == named
    assert [name for name in less if not torch.equal(full[name], less[name])] == []
