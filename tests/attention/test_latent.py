"""Latent tokens: a few rows that read the guide and are read by the stream."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.alignment import LearnedAlignment
from crossmodal.attention import LatentTokens, NoLatents
from crossmodal.testing import Trial, laws


@st.composite
def carried(draw):
    """Latent tokens with their gate open, an alignment, a stream and a guide, in float64."""
    torch.manual_seed(draw(st.integers(0, 999)))
    frames, tokens, guide_tokens, channels, count = (draw(st.integers(1, 3)) for _ in range(5))
    block, align = LatentTokens(channels, count).double(), LearnedAlignment(guide_tokens, 3, tokens, channels).double()
    nn.init.constant_(block.gate, 0.7)
    stream, guide = torch.randn(frames, tokens, channels).double(), torch.randn(frames, guide_tokens, 3).double()
    return block, align, stream, guide


def softmax_average(row, tokens):
    """The tokens weighed by the softmax of their products with a row, one by one."""
    weights = [(row * token).sum().exp() for token in tokens]
    return sum(weight / sum(weights) * token for weight, token in zip(weights, tokens, strict=True))


@given(carried())
def test_it_is_the_formula(case):
    block, align, stream, guide = case
    found, aligned = block(stream, guide, align), align(guide)
    for frame in range(len(stream)):
        informed = [row + softmax_average(row, aligned[frame]) for row in block.tokens]
        for at, token in enumerate(stream[frame]):
            expected = token + block.gate * softmax_average(token, informed)
            torch.testing.assert_close(found[frame, at], expected)


@given(carried())
def test_closed_gates_leave_the_stream_alone(case):
    _, align, stream, guide = case
    assert torch.equal(LatentTokens(stream.shape[2]).double()(stream, guide, align), stream)
    assert NoLatents(stream.shape[2])(stream, guide, align) is stream


def test_tokens_start_as_they_are_told_to():
    assert 0 <= LatentTokens(50).tokens.min() < LatentTokens(50).tokens.max() < 1
    assert not LatentTokens(5, init=nn.init.zeros_).tokens.any()
    assert LatentTokens(5, 2).tokens.shape == (2, 5)


@pytest.mark.parametrize(
    "law",
    [
        laws.frames_do_not_leak,
        laws.every_parameter_learns,
        laws.checkpointed_agrees,
        laws.compiled_agrees,
        laws.bad_input_is_named,
        laws.state_dict_round_trip,
        laws.copies,
        laws.built_on_meta,
    ],
)
def test_laws(law):
    torch.manual_seed(0)
    stream, guide = torch.randn(3, 5, 4), torch.randn(3, 6, 3)
    law(Trial(Carrier, {"stream": stream, "guide": guide}))


class Carrier(nn.Module):
    """Latent tokens with the alignment they read through."""

    def __init__(self):
        super().__init__()
        self.latents = LatentTokens(4, 2)
        self.align = LearnedAlignment(6, 3, 5, 4)

    def forward(self, stream, guide):
        return self.latents(stream, guide, self.align)


def test_no_tokens_are_refused():
    with pytest.raises(ValueError, match="LatentTokens: latents=0 must be at least 1; without them use NoLatents"):
        LatentTokens(4, 0)


def test_an_alignment_that_cannot_attend_is_named():
    with pytest.raises(TypeError, match=r"(?s)LatentTokens\.forward.*parameter 'align'"):
        LatentTokens(4)(torch.zeros(2, 5, 4), torch.zeros(2, 6, 3), nn.Linear(3, 4))


def test_one_set_of_rows_for_all_frames_is_named():
    class Everywhere(LearnedAlignment):
        def attend(self, latents, guide):
            return latents

    with pytest.raises(
        ValueError, match=r"attend of align=Everywhere returned shape \(1, 2, 4\), expected .* \(3, 2, 4\)"
    ):
        LatentTokens(4, 2)(torch.zeros(3, 5, 4), torch.zeros(3, 6, 3), Everywhere(6, 3, 5, 4))


def test_widths_are_named():
    align = LearnedAlignment(6, 3, 5, 4)
    with pytest.raises(ValueError, match=r"LatentTokens: stream has width 7 .* built for width 4"):
        LatentTokens(4)(torch.zeros(2, 5, 7), torch.zeros(2, 6, 3), align)
    with pytest.raises(ValueError, match=r"LearnedAlignment: guide has width 2 .* built for width 3"):
        LatentTokens(4)(torch.zeros(2, 5, 4), torch.zeros(2, 6, 2), align)


def test_it_shows_its_numbers():
    assert "4, latents=2" in repr(LatentTokens(4, 2))
