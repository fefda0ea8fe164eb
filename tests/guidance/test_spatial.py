import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch import nn

from crossmodal.guidance import SpatialGuidance


@st.composite
def guided_streams(draw):
    """A block of drawn sizes in float64, a stream and a cue."""
    torch.manual_seed(draw(st.integers(0, 999)))
    frames, tokens, cue_channels = (draw(st.integers(1, 4)) for _ in range(3))
    reduction = draw(st.integers(1, 3))
    channels = reduction * draw(st.integers(1, 3))
    block = SpatialGuidance(channels, cue_channels, reduction=reduction).double()
    return block, torch.randn(frames, tokens, channels).double(), torch.randn(frames, cue_channels).double()


@given(guided_streams())
def test_score_and_map_are_the_formula(case):
    block, stream, cue = case
    score, found = block.score(stream, cue), block(stream, cue)
    for frame in range(len(stream)):
        heard = block.cue_proj(cue[frame]).clamp(min=0)
        for token in range(stream.shape[1]):
            seen = block.stream_proj(stream[frame, token]).clamp(min=0)
            logit = sum(w * s * h for w, s, h in zip(block.readout.weight[0], seen, heard, strict=True))
            logit = logit + block.readout.bias[0]
            torch.testing.assert_close(score[frame, token, 0], logit)
            torch.testing.assert_close(found[frame, token, 0], 1 / (1 + (-logit).exp()))


def test_scores_are_not_bounded():
    block = SpatialGuidance(4, 3)
    nn.init.ones_(block.readout.weight)
    nn.init.ones_(block.cue_proj.weight)
    stream, cue = 1000 * torch.randn(2, 50, 4), torch.ones(2, 3)
    assert block.score(stream, cue).abs().max() > 1
    assert torch.equal(block.score(stream, cue).sigmoid(), block(stream, cue))


def test_it_asks_for_the_channel_map_unless_told_otherwise():
    assert SpatialGuidance(4, 3).sees == ("channel",)
    assert SpatialGuidance(4, 3, sees=()).sees == ()


def test_a_reduction_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"^SpatialGuidance: reduction=4 must divide channels=6\.$"):
        SpatialGuidance(6, 3, reduction=4)


@pytest.mark.parametrize("method", ["forward", "score"])
def test_bad_input_is_named(method):
    ask = getattr(SpatialGuidance(4, 3), method)
    with pytest.raises(TypeCheckError, match=f"(?s)SpatialGuidance.{method}.*parameter 'cue'"):
        ask(torch.zeros(2, 5, 4), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"SpatialGuidance: cue has width 2 .* built for width 3"):
        ask(torch.zeros(2, 5, 4), torch.zeros(2, 2))


@given(guided_streams(), st.booleans())
def test_a_scale_is_that_of_the_stream_it_looks_at(case, over_tokens):
    """Whether it goes into the weight (many tokens, a scale of channels) or not; in gradients too."""
    block, stream, cue = case
    found = []
    scale = torch.rand(len(stream), stream.shape[1] if over_tokens else 1, 1 if over_tokens else stream.shape[2])
    for form in (lambda x, s: block(x, cue, scale=s), lambda x, s: block(x * s, cue)):
        given = stream.clone().requires_grad_(), scale.double().requires_grad_()
        out = form(*given)
        found.append([out, *torch.autograd.grad(out.square().sum(), [*given, *block.parameters()])])
    torch.testing.assert_close(*found)


def test_of_many_tokens_no_scaled_copy_is_kept():
    """A scale over channels goes into the weight: 60 tokens of 8 channels are kept once, their relu beside them."""
    kept = []

    def keep(tensor):
        kept.append(tensor)
        return tensor

    block = SpatialGuidance(8, 3)
    stream, scale = torch.randn(1, 60, 8, requires_grad=True), torch.rand(1, 1, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(stream, torch.randn(1, 3), scale=scale)
    storages = {tensor.untyped_storage().data_ptr() for tensor in kept if tensor.numel() == stream.numel()}
    assert storages == {stream.untyped_storage().data_ptr()}
