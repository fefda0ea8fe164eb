import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.attention import attend

pytestmark = pytest.mark.usefixtures("xformers_on_cpu")


@st.composite
def cases(draw):
    """Query, key, value, bias or none, scale or none: sizes, broadcastings and flags are drawn, values seeded."""
    batch, query, key, head, width, value_width = (draw(st.integers(1, top), label=name) for name, top in SIZES.items())
    seed, scale = draw(st.integers(0, 99)), draw(st.none() | st.floats(0.1, 2.0))
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731
    tensors = [
        normal(batch, query, head, width),
        normal(batch, key, head, width),
        normal(batch, key, head, value_width),
    ]
    bias = None
    if draw(st.booleans(), label="has bias"):
        bias = normal(draw(st.sampled_from([1, batch])), draw(st.sampled_from([1, head])), query, key)
        if draw(st.booleans(), label="hides keys"):
            hidden = torch.rand(bias.shape, generator=generator) < 0.4
            bias = bias.masked_fill(hidden & (torch.arange(key) > 0), -math.inf)
    learn = [draw(st.booleans()) for _ in range(4)]
    for tensor, learns in zip((*tensors, bias), learn, strict=True):
        if tensor is not None:
            tensor.requires_grad_(learns)
    return *tensors, bias, scale


SIZES = {"batch": 3, "query": 6, "key": 9, "head": 3, "width": 5, "value_width": 5}


def evaluate(backend, query, key, value, bias, scale):
    """The output, and the gradient of a fixed functional of it to every tensor that learns."""
    leaves = [t if t is None else t.detach().clone().requires_grad_(t.requires_grad) for t in (query, key, value, bias)]
    *tensors, bias = leaves
    out = attend(*tensors, bias=bias, scale=scale, backend=backend)
    if out.requires_grad:
        (out * torch.arange(out.numel()).view_as(out).sin()).sum().backward()
    return out.detach(), [leaf.grad for leaf in leaves if leaf is not None]


@given(cases())
def test_law_11_all_backends_agree_in_outputs_and_gradients(case):
    expected = evaluate("reference", *case)
    for backend in ("sdpa", "xformers"):
        torch.testing.assert_close(evaluate(backend, *case), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("key", [5, 8])
def test_a_frozen_bias_stays_out_of_autograd(xformers_on_cpu, key):
    query, value = torch.randn(2, 3, 2, 4, requires_grad=True), torch.randn(2, key, 2, 4)
    bias = nn.Parameter(torch.randn(1, 2, 3, key), requires_grad=False)
    for backend in ("sdpa", "xformers", "reference"):
        attend(query, value, value, bias=bias, backend=backend).sum().backward()
        assert bias.grad is None
        assert query.grad.isfinite().all()
    assert xformers_on_cpu.bias_requires_grad is False


def test_a_bias_that_learns_alone_gets_its_gradient():
    query, bias = torch.randn(2, 3, 2, 4), nn.Parameter(torch.randn(1, 2, 3, 3))
    attend(query, query, query, bias=bias, backend="xformers").square().sum().backward()
    expected, bias.grad = bias.grad, None
    attend(query, query, query, bias=bias, backend="reference").square().sum().backward()
    torch.testing.assert_close(bias.grad, expected)
    assert expected.abs().max() > 1e-3


def test_xformers_gets_a_parameter_as_a_plain_tensor_without_a_copy_where_its_rows_are_aligned(xformers_on_cpu):
    query, key = torch.randn(2, 3, 2, 4), torch.randn(2, 8, 2, 4)
    bias = nn.Parameter(torch.randn(1, 2, 3, 8))
    attend(query, key, key, bias=bias, backend="xformers")
    assert type(xformers_on_cpu.forward_bias) is torch.Tensor
    assert xformers_on_cpu.forward_bias.data_ptr() == bias.data_ptr()


@pytest.mark.parametrize("make", [lambda: torch.randn(1, 2, 8, 3).mT, lambda: torch.randn(1, 2, 3, 9)[..., 1:]])
def test_a_bias_of_any_strides_is_laid_out_for_xformers(make):
    query, key, bias = torch.randn(2, 3, 2, 4), torch.randn(2, 8, 2, 4), make()
    torch.testing.assert_close(
        attend(query, key, key, bias=bias, backend="xformers"), attend(query, key, key, bias=bias, backend="reference")
    )


def test_explain_says_that_xformers_would_run(capsys):
    from crossmodal.attention import explain

    query = torch.randn(2, 3, 2, 4, requires_grad=True)
    assert explain(query, query, query).kernels["xformers"] == "memory_efficient_attention"
    assert "xformers runs memory_efficient_attention" in capsys.readouterr().out
