from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.adapters import Bottleneck, Gate, GateThenNorm, NormThenGate, TokenBatchNorm
from crossmodal.adapters.grouped import GroupedLinear

SIZES = st.tuples(*(st.integers(1, 3) for _ in range(5)), st.integers(0, 999))


def stream_of(frames, tokens, channels):
    return torch.randn(frames, tokens, channels).double()


def layer_norm(block, tokens):
    """Layer norm, token by token."""
    flat = tokens.flatten(0, 1)
    normed = [(row - row.mean()) / (row.var(correction=0) + block.eps).sqrt() for row in flat]
    return (torch.stack(normed) * block.weight + block.bias).view_as(tokens)


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


def test_a_gate_folded_into_its_norm_is_the_norm_and_then_the_gate():
    """In outputs and in every gradient; the normalised stream is not kept."""
    torch.manual_seed(0)
    finish, found = NormThenGate(6).double(), []
    for parameter in finish.parameters():
        nn.init.normal_(parameter)
    for form in (finish, lambda stream: finish.gate(finish.norm(stream))):
        stream = torch.randn(2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        residual = form(stream)
        found.append([residual, *torch.autograd.grad(residual.square().sum(), [stream, *finish.parameters()])])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)
