import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.guidance import LowRankChannelGuidance

SIZES = st.tuples(*(st.integers(1, 4) for _ in range(5)), st.integers(0, 999))


@given(SIZES)
def test_the_map_is_the_formula(sizes):
    """Token by token and direction by direction, the mean taken last."""
    frames, tokens, channels, cue_channels, rank, seed = sizes
    torch.manual_seed(seed)
    block = LowRankChannelGuidance(channels, cue_channels, rank=rank).double()
    stream, cue = torch.randn(frames, tokens, channels).double(), torch.randn(frames, cue_channels).double()
    found = block(stream, cue)
    for frame in range(frames):
        heard = block.cue_proj(cue[frame]).clamp(min=0)
        match = sum(block.stream_proj(token).clamp(min=0) * heard for token in stream[frame]) / tokens
        torch.testing.assert_close(found[frame, 0], 1 / (1 + (-block.excite(match)).exp()))


def test_it_has_fewer_parameters_than_channels_squared():
    block = LowRankChannelGuidance(768, 768)
    assert sum(parameter.numel() for parameter in block.parameters()) < 768**2 // 7


def test_no_rank_is_refused():
    with pytest.raises(ValueError, match=r"^LowRankChannelGuidance: rank=0 must be at least 1 for channels=5\.$"):
        LowRankChannelGuidance(5, 3, rank=0)


def test_a_stream_of_another_width_is_named():
    with pytest.raises(ValueError, match=r"LowRankChannelGuidance: stream has width 6 .* built for width 4"):
        LowRankChannelGuidance(4, 3)(torch.zeros(2, 5, 6), torch.zeros(2, 3))
