from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from crossmodal.adapters import Bottleneck, Gate, GateThenNorm, NormThenGate, TokenBatchNorm
from crossmodal.adapters.bottleneck import GroupedLinear

SIZES = st.tuples(*(st.integers(1, 3) for _ in range(5)), st.integers(0, 999))


def stream_of(frames, tokens, channels):
    return torch.randn(frames, tokens, channels).double()


def layer_norm(block, tokens):
    """Layer norm, token by token."""
    flat = tokens.flatten(0, 1)
    normed = [(row - row.mean()) / (row.var(correction=0) + block.eps).sqrt() for row in flat]
    return (torch.stack(normed) * block.weight + block.bias).view_as(tokens)


@given(SIZES)
def test_a_grouped_linear_layer_is_a_grouped_convolution(sizes):
    frames, tokens, groups, wide, narrow, seed = sizes
    torch.manual_seed(seed)
    block = GroupedLinear(groups * wide, groups * narrow, groups=groups).double()
    stream = stream_of(frames, tokens, groups * wide)
    expected = F.conv1d(stream.mT, block.weight[..., None], groups=groups).mT
    torch.testing.assert_close(block(stream), expected)


@given(SIZES)
def test_the_bottleneck_is_its_layers_one_by_one(sizes):
    """Norm, down, batch norm by its running numbers, ReLU, up, batch norm, norm, gate."""
    frames, tokens, groups, hidden, reduction, seed = sizes
    torch.manual_seed(seed)
    channels = groups * hidden * reduction
    block = Bottleneck(channels, reduction=reduction, groups=groups).double().eval()
    for norm in (block.down_norm, block.up_norm):
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    nn.init.constant_(block.finish.gate.scale, 0.7)

    def by_running_numbers(norm, tokens):
        return (tokens - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias

    def grouped(layer, tokens):
        parts = zip(tokens.chunk(groups, -1), layer.weight.chunk(groups), strict=True)
        return torch.cat([part @ weight.T for part, weight in parts], -1)

    stream = stream_of(frames, tokens, channels)
    lowered = by_running_numbers(block.down_norm, grouped(block.down, layer_norm(block.before, stream))).clamp(min=0)
    raised = by_running_numbers(block.up_norm, grouped(block.up, lowered))
    torch.testing.assert_close(block(stream), 0.7 * layer_norm(block.finish.norm, raised))


def test_the_variants_are_factories():
    torch.manual_seed(0)
    stream = stream_of(2, 3, 4)
    plain = partial(Bottleneck, 4, reduction=2, groups=1, before=nn.Identity, norm=nn.Identity)
    for finish in (Gate, GateThenNorm, nn.LayerNorm, NormThenGate):
        block = plain(finish=finish).double()
        raised = block.up(block.down(stream).relu())
        torch.testing.assert_close(block(stream), block.finish(raised))
        assert len(list(block.parameters())) == 2 + len(list(finish(4).parameters()))


def test_the_gate_is_outside_or_inside_the_norm():
    torch.manual_seed(0)
    stream = stream_of(2, 3, 4)
    outside, inside = NormThenGate(4).double(), GateThenNorm(4).double()
    for scale in (-2.0, 0.5, 3.0):
        for block in (outside, inside):
            nn.init.constant_(block.gate.scale, scale)
        torch.testing.assert_close(outside(stream), scale * layer_norm(outside.norm, stream))
        torch.testing.assert_close(inside(stream), layer_norm(inside.norm, scale * stream))
        sign = 1.0 if scale > 0 else -1.0
        torch.testing.assert_close(inside(stream), sign * layer_norm(inside.norm, stream), atol=1e-3, rtol=1e-3)


def batch_norm(block, stream):
    """Batch norm in training mode, channel by channel over frames and tokens, in float64."""
    channels = []
    for at in range(stream.shape[2]):
        values = stream[..., at].double()
        normed = (values - values.mean()) / (values.var(correction=0) + block.eps).sqrt()
        channels.append(normed * block.weight[at] + block.bias[at])
    return torch.stack(channels, dim=-1)


@given(st.integers(2, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 999))
def test_batch_norm_is_the_formula_and_keeps_count(frames, tokens, channels, seed):
    torch.manual_seed(seed)
    block = TokenBatchNorm(channels)
    nn.init.uniform_(block.weight, 0.5, 2)
    nn.init.uniform_(block.bias, -1, 1)
    stream = 3 * torch.randn(frames, tokens, channels) + 2
    torch.testing.assert_close(block(stream).double(), batch_norm(block, stream), rtol=1e-5, atol=2e-5)
    flat = stream.double().flatten(0, 1)
    torch.testing.assert_close(block.running_mean.double(), 0.1 * flat.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(block.running_var.double(), 0.9 + 0.1 * flat.var(0), rtol=1e-5, atol=1e-5)
    assert block.num_batches_tracked == 1
    block.eval()
    by_running = (stream - block.running_mean) / (block.running_var + block.eps).sqrt() * block.weight + block.bias
    torch.testing.assert_close(block(stream), by_running, rtol=1e-4, atol=1e-4)


def test_batch_norm_does_not_lose_digits_over_many_tokens():
    """On the CPU torch's own kernel, over `(frame · token, channel)`, is 25 times less exact here."""
    torch.manual_seed(0)
    stream = torch.randn(10, 4096, 8)
    error = (TokenBatchNorm(8)(stream).double() - batch_norm(TokenBatchNorm(8), stream)).abs().max()
    assert error < 2e-6


@pytest.mark.parametrize("layout", ["tokens", "channels"])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients_against_float64_differences(layout, training):
    """Whichever way input and gradient lie in memory: torch's backward is silently wrong where they differ."""
    torch.manual_seed(0)
    block = TokenBatchNorm(3).train(training)
    nn.init.uniform_(block.running_var, 0.5, 2)
    exact = TokenBatchNorm(3).double().train(training)
    exact.load_state_dict(block.state_dict())
    stream = torch.randn(2, 5, 3) if layout == "tokens" else torch.randn(2, 3, 5).mT
    weight = torch.randn(2, 5, 3) if layout == "channels" else torch.randn(2, 3, 5).mT
    stream.requires_grad_()
    (block(stream) * weight).sum().backward()
    for at in range(stream.numel()):
        step = torch.zeros(stream.numel()).double()
        step[at] = 1e-6
        up, down = (
            (exact(stream.detach().double() + sign * step.view(2, 5, 3)) * weight.double()).sum() for sign in (1, -1)
        )
        difference = (up - down) / 2e-6
        torch.testing.assert_close(stream.grad.flatten()[at].double(), difference, rtol=1e-3, atol=1e-4)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"^Bottleneck: reduction=8 must divide channels=12\.$"):
        Bottleneck(12)
    with pytest.raises(ValueError, match=r"GroupedLinear: groups=2 must divide channels=8 and out_channels=1\."):
        Bottleneck(8)


@pytest.mark.parametrize(
    "block", [Bottleneck(16), NormThenGate(16), GateThenNorm(16), TokenBatchNorm(16), GroupedLinear(16, 4, groups=2)]
)
def test_widths_are_named(block):
    words = rf"{type(block).__name__}: (stream|input) has width 10 \(shape \(2, 3, 10\)\), but .* built for width 16"
    with pytest.raises(ValueError, match=words):
        block(torch.zeros(2, 3, 10))


def test_they_show_their_numbers():
    assert "GroupedLinear(16, 2, groups=2)" in repr(Bottleneck(16))
