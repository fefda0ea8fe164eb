import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.guidance import ChannelGuidance


@st.composite
def guided_streams(draw, guidance=ChannelGuidance):
    """A block of drawn sizes in float64, a stream and a cue."""
    torch.manual_seed(draw(st.integers(0, 999)))
    frames, tokens, cue_channels = (draw(st.integers(1, 4)) for _ in range(3))
    reduction = draw(st.integers(1, 3))
    channels = reduction * draw(st.integers(1, 3))
    block = guidance(channels, cue_channels, reduction=reduction).double()
    return block, torch.randn(frames, tokens, channels).double(), torch.randn(frames, cue_channels).double()


@given(guided_streams())
def test_the_map_is_the_formula(case):
    """Token by token, the mean taken last."""
    block, stream, cue = case
    found = block(stream, cue)
    for frame, (tokens, heard) in enumerate(zip(stream, cue, strict=True)):
        matches = [block.stream_proj(token).clamp(min=0) * block.cue_proj(heard).clamp(min=0) for token in tokens]
        mean = sum(matches) / len(matches)
        hidden = block.squeeze(mean).clamp(min=0)
        for channel, logit in enumerate(block.excite(hidden)):
            torch.testing.assert_close(found[frame, 0, channel], 1 / (1 + (-logit).exp()))


def test_a_reduction_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"^ChannelGuidance: reduction=2 must divide channels=5\.$"):
        ChannelGuidance(5, 3)


def test_a_cue_of_another_batch_is_named():
    with pytest.raises(TypeCheckError, match=r"(?s)ChannelGuidance\.forward.*parameter 'cue'.*frame=2"):
        ChannelGuidance(4, 3)(torch.zeros(2, 5, 4), torch.zeros(1, 3))


def test_a_stream_of_another_width_is_named():
    with pytest.raises(ValueError, match=r"ChannelGuidance: stream has width 6 .* built for width 4"):
        ChannelGuidance(4, 3)(torch.zeros(2, 5, 6), torch.zeros(2, 3))


def test_of_the_stream_that_is_matched_only_signs_are_kept():
    kept = []

    def keep(tensor):
        kept.append(tensor)
        return tensor

    stream = torch.randn(1, 60, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        ChannelGuidance(8, 3)(stream, torch.randn(1, 3))
    floats = [tensor for tensor in kept if tensor.numel() == stream.numel() and tensor.is_floating_point()]
    assert {tensor.untyped_storage().data_ptr() for tensor in floats} == {stream.untyped_storage().data_ptr()}
    assert sum(tensor.dtype == torch.bool for tensor in kept) == 1
