"""The checks themselves: what a report says, what a block may declare, what is imported and when."""

import sys
from functools import partial
from typing import ClassVar

import broken
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from crossmodal.adapters import Bottleneck, channel_and_spatial, guided_adapter
from crossmodal.alignment import identity_alignment, resampled_alignment
from crossmodal.guidance import ChannelGuidance, FrequencyGuidance, SegmentGuidance
from crossmodal.shapes import shape_checks
from crossmodal.testing import (
    ADAPTER,
    ALIGNMENT,
    BOTTLENECK,
    GUIDANCE,
    MODULATION,
    LawBroken,
    NotApplicable,
    Trial,
    Violation,
    check_guidance,
    laws,
    parametrize_laws,
)
from crossmodal.testing.encoder import ENCODER, LOCKSTEP
from crossmodal.testing.law import expect_close
from crossmodal.testing.parametrize import suite_of
from crossmodal.testing.sizes import site_sizes
from crossmodal.testing.trial import named_tensors


class Positioned(broken.Ordered):
    """Depends on token order, and says so."""

    laws_exempt: ClassVar = {"token permutation": "has positions"}


class Misspelt(broken.Ordered):
    """Exempts itself from a law that does not exist."""

    laws_exempt: ClassVar = {"token permutations": "has positions"}


def test_an_exempt_block_is_not_asked_and_the_report_says_why():
    report = check_guidance(Positioned)
    assert report.named("exempt") == ("token permutation",)
    assert " 4  token permutation            exempt: has positions" in str(report).splitlines()


def test_an_exemption_from_no_law_is_refused():
    with pytest.raises(ValueError, match=r"Misspelt: laws_exempt names 'token permutations'.*nearest: 'token permutat"):
        check_guidance(Misspelt)


def test_the_report_goes_law_by_law():
    with pytest.raises(LawBroken) as caught:
        check_guidance(broken.Ordered)
    first, *lines = str(caught.value).splitlines()
    assert first == "token permutation"
    assert lines[0] == "Laws of Ordered (guidance)"
    assert lines[1] == " 2  range and shape              held in 10 trials"
    assert lines[2] == " 4  token permutation            broken"
    assert lines[3].startswith("      law: The spatial map permutes with the tokens of the stream, no other")
    assert lines[4].startswith("      at clips=2 tokens=4 channels=2 cue_channels=2 seed=")
    assert lines[5].startswith("      map of the tokens in order [")
    assert " 6  band equivariance            not applicable: the factory takes no bands" in lines


@pytest.mark.parametrize("suite", [GUIDANCE, ALIGNMENT, ADAPTER, MODULATION, BOTTLENECK, ENCODER, LOCKSTEP])
def test_laws_come_in_order_with_names_of_their_own_and_say_something(suite):
    names, numbers = [law.name for law in suite.laws], [law.number for law in suite.laws]
    assert len(set(names)) == len(names)
    assert numbers == sorted(numbers)
    assert all(law.says.endswith(".") for law in suite.laws)


def test_a_factory_that_takes_no_width_is_refused_with_its_own_words():
    def picky(channels, cue_channels):
        raise ValueError("only 7 will do")

    with pytest.raises(ValueError, match="picky: takes none of the sizes that were tried; it last said: only 7 will"):
        check_guidance(picky)


def test_widths_are_multiples_of_the_first_that_a_factory_takes():
    assert GUIDANCE.smallest(SegmentGuidance).channels == 3
    assert GUIDANCE.smallest(ChannelGuidance).channels == 2
    assert BOTTLENECK.smallest(Bottleneck).stream.width == 16
    first = ADAPTER.smallest(partial(guided_adapter, align=identity_alignment))
    assert (first.stream.width, first.guide.width) == (16, 16)


def test_a_law_can_be_asked_of_a_block_that_exists():
    torch.manual_seed(0)
    block, stream, cue = ChannelGuidance(4, 3), torch.randn(2, 5, 4), torch.randn(2, 3)
    before = {name: value.clone() for name, value in block.state_dict().items()}
    trial = Trial.of(block, stream=stream, cue=cue)
    laws.frames_do_not_leak(trial)
    laws.copies(trial)
    with pytest.raises(NotApplicable, match="one block alone"):
        laws.repr_shows_the_sizes(trial)
    with pytest.raises(Violation, match=r"output, frame \d of 2 changed, at \[\d, \d, 0\]: expected 0\.\d+, found"):
        laws.frames_do_not_leak(Trial.of(broken.Leaky(4, 3), stream=stream, cue=cue))
    assert all(torch.equal(block.state_dict()[name], value) for name, value in before.items())


def test_one_clip_alone_cannot_leak():
    trial = Trial.of(SegmentGuidance(4, 3), stream=torch.randn(1, 5, 4), cue=torch.randn(1, 3))
    with pytest.raises(NotApplicable, match="one clip alone: 1 frames, 1 a clip"):
        laws.frames_do_not_leak(trial)


def test_checks_that_are_off_are_on_for_the_laws():
    with shape_checks(False):
        assert not check_guidance(SegmentGuidance).broken


def test_the_random_state_of_the_caller_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_guidance(SegmentGuidance)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("factory", "suite"),
    [
        (FrequencyGuidance, GUIDANCE),
        (resampled_alignment, ALIGNMENT),
        (guided_adapter, ADAPTER),
        (channel_and_spatial, MODULATION),
        (Bottleneck, BOTTLENECK),
    ],
)
def test_the_kind_is_read_off_what_a_factory_returns(factory, suite):
    assert suite_of(factory) is suite


def test_what_is_of_no_kind_is_refused():
    with pytest.raises(ValueError, match=r"parametrize_laws: Linear makes none of guidance, .*: pass suite="):
        parametrize_laws(nn.Linear)


def test_cases_for_pytest():
    mark = parametrize_laws(broken.Ordered, Positioned)
    cases = {case.id: case.values[0] for case in mark.args[1]}
    assert list(cases)[:2] == ["Ordered: range and shape", "Ordered: token permutation"]
    cases["Ordered: range and shape"]()
    with pytest.raises(LawBroken, match="at clips=2"):
        cases["Ordered: token permutation"]()
    with pytest.raises(pytest.skip.Exception, match="exempt: has positions"):
        cases["Positioned: token permutation"]()
    with pytest.raises(pytest.skip.Exception, match="not applicable: the factory takes no bands"):
        cases["Ordered: band equivariance"]()


def test_outputs_are_named():
    nested = {"a": torch.zeros(1), "b": (torch.ones(1), {("x", "y"): torch.ones(2)})}
    assert [name for name, _ in named_tensors(nested)] == ["a", "b.0", "b.1[('x', 'y')]"]


def test_the_worst_entry_is_named():
    with pytest.raises(Violation, match=r"^map at \[1, 0\]: expected 4, found 2$"):
        expect_close("map", torch.tensor([[1.0, 2], [2, 4]]), torch.tensor([[1.0, 2], [4, 4.5]]))
    with pytest.raises(Violation, match=r"map at \[0\]: expected 1, found nan"):
        expect_close("map", torch.tensor([torch.nan]), torch.ones(1))
    with pytest.raises(Violation, match=r"map: expected shape \(2,\), found \(1,\)"):
        expect_close("map", torch.ones(1), torch.ones(2))
    expect_close("map", torch.zeros(0), torch.zeros(0))


def test_drawn_sizes_reach_every_form():
    drawn = []
    collect = given(site_sizes(ADAPTER.smallest(resampled_alignment)))(lambda sizes: drawn.append(sizes))
    settings(max_examples=40)(collect)()
    assert {sizes.guide.form for sizes in drawn} == {"image", "folded", "sequence", "vector"}
    assert {sizes.clips for sizes in drawn} == {2, 3}
    assert {sizes.stream is sizes.guide for sizes in drawn} == {True, False}
    for sizes in drawn:
        stream, guide = sizes.sites()
        assert (stream.width, guide.width) == (sizes.stream.width, sizes.guide.width)


def test_without_hypothesis_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(
        ImportError, match=r'needs the package \'hypothesis\'.*pip install "crossmodal-blocks\[testing\]"'
    ):
        check_guidance(SegmentGuidance)
