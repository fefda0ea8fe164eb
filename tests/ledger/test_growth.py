"""Cost grows linearly with frames and with the tokens of a stream: counted, on whole models, saved bytes included.

Of a line, equal steps in size are equal steps in cost. No product of tokens by tokens hides then, save inside windows,
whose size is fixed, and in the learned token mixer, whose other side is the guide's grid: it stays as it is here.
"""

from functools import cache

import pytest
import torch

from crossmodal.encoders import htsat, swin_v2
from crossmodal.ledger.nested import shadow
from crossmodal.ledger.profiler import Profiler
from crossmodal.ledger.table import ModuleCost
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lite import lite


@cache
def total(recipe, *, frames=10, image=96, sound=64):
    """Operations and saved bytes of a step on a model whose image, or spectrogram, has that side.

    The two grids must differ: blocks of one grid share the order of its windows, which then is kept once.
    """
    with torch.device("meta"):
        visual = swin_v2(image, width=16, depths=(2,), heads=(1,), window=4)
        model = recipe(visual, htsat(sound, mels=16, width=16, depths=(2,), heads=(1,), window=4))
    inputs = {
        "visual": torch.empty(frames, 3, image, image, device="meta"),
        "audio": torch.empty(frames, 65, 16, device="meta"),
    }
    share = sum(Profiler(shadow(model)).run(inputs).values(), ModuleCost())
    return share.forward, share.backward, share.saved


def assert_on_a_line(sizes, costs):
    """Three points of every number, the steps between them in proportion, exactly."""
    (first, middle, last), (small, medium, large) = sizes, costs
    for a, b, c in zip(small, medium, large, strict=True):
        assert (b - a) * (last - middle) == (c - b) * (middle - first)
        assert c > b > a


SLOW = pytest.mark.slow


@pytest.mark.parametrize("recipe", [dg_sct_released, pytest.param(dg_sct, marks=SLOW), pytest.param(lite, marks=SLOW)])
def test_frames(recipe):
    sizes = (10, 20, 40)
    assert_on_a_line(sizes, [total(recipe, frames=frames) for frames in sizes])


@pytest.mark.parametrize(
    ("grown", "sides"), [("image", (96, 128, 160)), pytest.param("sound", (64, 128, 160), marks=SLOW)]
)
def test_tokens_of_one_stream_in_the_released_form(grown, sides):
    """The other keeps its grid: the token mixers grow with one side only."""
    assert_on_a_line([side**2 for side in sides], [total(dg_sct_released, **{grown: side}) for side in sides])


SIDES = (96, 192, 288)


def grown_together(recipe):
    assert_on_a_line([side**2 for side in SIDES], [total(recipe, image=side, sound=side * 2 // 3) for side in SIDES])


def test_tokens_of_both_streams_where_no_token_mixer_is_learned():
    grown_together(lite)


@pytest.mark.slow
def test_a_token_mixer_is_seen():
    """What these tests would say of a product of tokens by tokens: both grids of a learned alignment grow."""
    with pytest.raises(AssertionError):
        grown_together(dg_sct_released)
