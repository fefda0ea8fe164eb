"""xformers on the CPU: its dispatch and autograd are the real ones, its two ATen operators get a CPU kernel here."""

import math
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def xformers_on_cpu():
    """Lets xformers run float32 CPU tensors; yields the bias with which each kernel was last called."""
    cutlass = pytest.importorskip("xformers.ops.fmha.cutlass")
    seen = SimpleNamespace(forward_bias=None, bias_requires_grad=None)
    with pytest.MonkeyPatch.context() as patch, torch.library._scoped_library("aten", "IMPL") as library:
        for operator in (cutlass.FwOp, cutlass.BwOp):
            patch.setattr(operator, "SUPPORTED_DEVICES", {"cuda", "cpu"})
        patch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 0))
        library.impl("_efficient_attention_forward", _forward(seen), "CPU")
        library.impl("_efficient_attention_backward", _backward(seen), "CPU")
        yield seen


def _forward(seen):
    def kernel(query, key, value, bias, cu_q, cu_k, max_q, max_k, dropout_p, mask_type, *rest, scale=None, **options):
        (compute_lse,) = rest or (False,)
        assert (dropout_p, mask_type, cu_q, cu_k, options.get("window_size")) == (0, 0, None, None, None)
        seen.forward_bias = bias
        logits = _logits(query, key, bias, scale)
        out = torch.einsum("bhqk,bkhd->bqhd", logits.softmax(dim=-1), value)
        batch, heads, rows, _ = logits.shape
        # As on the GPU: rows padded to 32 with infinity, and nothing at all where no backward will come.
        lse = torch.full((batch, heads, math.ceil(rows / 32) * 32 if compute_lse else 0), math.inf)
        if compute_lse:
            lse[..., :rows] = logits.logsumexp(dim=-1)
        return out, lse, torch.zeros((), dtype=torch.long), torch.zeros((), dtype=torch.long), rows, key.shape[1]

    return kernel


def _backward(seen):
    def kernel(grad, query, key, value, bias, out, cu_q, cu_k, max_q, max_k, lse, *rest, scale=None, **options):
        dropout_p, _seed, _offset, mask_type, bias_requires_grad = rest
        assert (dropout_p, mask_type, cu_q, cu_k, options.get("window_size")) == (0, 0, None, None, None)
        seen.bias_requires_grad = bias_requires_grad
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        weights = (_logits(query, key, bias, scale) - lse[..., : query.shape[1], None]).exp()
        slope = torch.einsum("bqhd,bkhd->bhqk", grad, value) - (grad * out).sum(-1).transpose(1, 2)[..., None]
        grad_logits = weights * slope
        grad_bias = grad_logits if bias_requires_grad else torch.full_like(grad_logits, math.nan)
        return (
            torch.einsum("bhqk,bkhd->bqhd", grad_logits, key) * scale,
            torch.einsum("bhqk,bqhd->bkhd", grad_logits, query) * scale,
            torch.einsum("bhqk,bqhd->bkhd", weights, grad),
            grad_bias,
        )

    return kernel


def _logits(query, key, bias, scale):
    logits = torch.einsum("bqhd,bkhd->bhqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if bias is None:
        return logits
    # What the CUDA kernel demands of a bias.
    assert (bias.shape, bias.dtype, bias.stride(-1)) == (logits.shape, query.dtype, 1)
    assert [stride % 4 for stride in bias.stride()[:-1]] == [0, 0, 0]
    assert bias.data_ptr() % 16 == 0
    return logits + bias
