"""The layers of a bottleneck, each by its formula, and the two as one product."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from crossmodal.adapters import TokenBatchNorm
from crossmodal.adapters.grouped import GroupedLinear, fused_linear_batchnorm
from crossmodal.ledger import cost

SIZES = st.tuples(*(st.integers(1, 3) for _ in range(5)), st.integers(0, 999))


@given(SIZES)
def test_a_grouped_linear_layer_is_a_grouped_convolution(sizes):
    frames, tokens, groups, wide, narrow, seed = sizes
    torch.manual_seed(seed)
    block = GroupedLinear(groups * wide, groups * narrow, groups=groups).double()
    stream = torch.randn(frames, tokens, groups * wide).double()
    expected = F.conv1d(stream.mT, block.weight[..., None], groups=groups).mT
    torch.testing.assert_close(block(stream), expected)


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


class OneByOne(nn.Module):
    """A linear layer and its batch norm; `folded` or one after the other."""

    def __init__(self, groups, wide, narrow, *, folded, **options):
        super().__init__()
        self.linear = GroupedLinear(groups * narrow, groups * wide, groups=groups)
        self.norm, self.folded = TokenBatchNorm(groups * wide, **options), folded

    def forward(self, stream):
        return fused_linear_batchnorm(self.linear, self.norm, stream) if self.folded else self.norm(self.linear(stream))


def both(groups, wide, narrow, **options):
    """The two forms with the same numbers, in float64."""
    blocks = [OneByOne(groups, wide, narrow, folded=folded, **options).double() for folded in (True, False)]
    for tensor in blocks[0].parameters():
        nn.init.normal_(tensor)
    blocks[1].load_state_dict(blocks[0].state_dict())
    return blocks


@given(SIZES, st.sampled_from([0.1, 0.7, None]))
def test_a_batch_norm_goes_through_the_linear_layer_before_it(sizes, momentum):
    """In outputs, gradients and running numbers, while training and after it."""
    frames, tokens, groups, wide, narrow, seed = sizes
    torch.manual_seed(seed)
    blocks, found = both(groups, wide, narrow, momentum=momentum), []
    streams = torch.randn(3, frames + 1, tokens, groups * narrow).double() + 2
    for block in blocks:
        given = streams.clone().requires_grad_()
        results = [block(given[0]), block(given[1]), block.eval()(given[2])]
        gradients = torch.autograd.grad(sum(r.square().sum() for r in results), [given, *block.parameters()])
        found.append([*results, *gradients, *block.buffers()])
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", [{"affine": False}, {"track_running_stats": False}])
def test_a_batch_norm_without_its_numbers_runs_after_the_linear_layer(options):
    torch.manual_seed(0)
    folded, direct = both(2, 3, 1, **options)
    stream = torch.randn(2, 4, 2).double()
    assert torch.equal(folded(stream), direct(stream))


def test_one_value_a_channel_has_no_variance():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        both(1, 2, 2)[0](torch.zeros(1, 1, 2).double())


def test_what_the_norm_would_read_is_not_kept():
    """Of 40 tokens of 32 channels from 4, the stream and its centred form are kept, and small weights."""
    stream = torch.zeros(1, 40, 4, requires_grad=True)
    folded, direct = (cost(OneByOne(1, 32, 4, folded=folded), stream).total.saved for folded in (True, False))
    assert direct >= 4 * 40 * 32
    assert folded < 4 * 40 * 32 / 2


def test_the_variance_runs_in_float32_under_autocast():
    torch.manual_seed(0)
    linear = GroupedLinear(8, 16, groups=2)
    centred = torch.randn(50, 20, 8)
    centred = centred - centred.mean((0, 1))
    exact = linear.double()(centred.double()).flatten(0, 1).var(0, correction=0)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear.float().variance(centred)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("training", [True, False])
def test_a_norm_may_stay_in_float32_beside_a_layer_in_half_precision(training):
    torch.manual_seed(0)
    linear, norm = GroupedLinear(4, 6, groups=2).bfloat16(), TokenBatchNorm(6).train(training)
    stream = torch.randn(2, 3, 4).bfloat16()
    found = fused_linear_batchnorm(linear, norm, stream)
    expected = fused_linear_batchnorm(linear.float(), TokenBatchNorm(6).train(training), stream.float())
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)
