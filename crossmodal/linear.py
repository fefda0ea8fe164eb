"""Linear layers whose large products go to oneDNN on the CPU, where torch itself takes another library."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LARGE = 2**24
"""Multiplications of a product from which on oneDNN takes it: a smaller one gains less than the way there costs."""


class Linear(nn.Linear):
    """`nn.Linear`, by `linear`: the same names, weights and numbers, the last digits apart."""

    def forward(self, input: Tensor) -> Tensor:
        """`input @ weightᵀ + bias`."""
        return linear(input, self.weight, self.bias)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`, any number of times differentiable.

    Large products of float32 on the CPU go to oneDNN, forwards and backwards; docs/performance.md says what that gains.
    All else is torch's: other devices and dtypes, autocast, `torch.compile`, transforms of `torch.func`, a counter of
    operations, and everything after `torch.backends.mkldnn.enabled = False`.

    Shapes: input `(…, in)`, weight `(out, in)`, bias `(out,)` → `(…, out)`.
    """
    if not for_onednn(input, weight):
        return F.linear(input, weight, bias)
    return cast(Tensor, _Linear.apply(input, weight, bias))


def for_onednn(input: Tensor, weight: Tensor) -> bool:
    """Whether `linear` takes these to oneDNN."""
    if torch.compiler.is_compiling() or not (_is_plain(input) and _is_plain(weight)):
        return False
    return (
        input.numel() * weight.shape[0] >= LARGE
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and torch._C._len_torch_dispatch_stack() == 0  # a counter of operations knows torch's own
    )


def product(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, then: str = "none") -> Tensor:
    """oneDNN's linear layer, out of autograd, with `then` (`"gelu"`, `"relu"`) in the same pass.

    For tensors that `for_onednn` lets through. It is what torch's own compiled models call.
    """
    made: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, then, [], "none")
    return made


class _Linear(torch.autograd.Function):
    """A linear layer whose products are large; its backward takes the same way, and is differentiable."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        of_input, of_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(input if of_weight else None, weight if of_input else None)
        return product(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        input, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        of_input = None if weight is None else linear(gradient, weight.mT)
        of_weight = None if input is None else _sum_of_products(rows, input.flatten(0, -2))
        return of_input, of_weight, rows.sum(0) if ctx.needs_input_grad[2] else None


def _sum_of_products(gradient: Tensor, input: Tensor) -> Tensor:
    """`gradientᵀ @ input`: over many rows torch's library is faster, over few oneDNN."""
    few = len(input) <= 2 * min(gradient.shape[1], input.shape[1])
    return linear(gradient.mT, input.mT) if few else gradient.mT @ input


def _is_plain(tensor: Tensor) -> bool:
    """Whether it holds float32 numbers on the CPU, and is no stand-in of a tracer or a transform."""
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and tensor.dtype == torch.float32
    return plain and tensor.ndim >= 2 and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
