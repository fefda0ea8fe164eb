"""Linear layers whose large products go to oneDNN on the CPU, where torch itself takes another library."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
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
    All else is torch's: other devices and dtypes, autocast, `torch.compile`, transforms of `torch.func`,
    forward-mode gradients, a counter of operations, and everything after `torch.backends.mkldnn.enabled = False`.

    Shapes: input `(…, in)`, weight `(out, in)`, bias `(out,)` → `(…, out)`.
    """
    if not for_onednn(input, weight) or (bias is not None and bias.shape != weight.shape[:1]):
        return F.linear(input, weight, bias)
    return cast(Tensor, _Product.apply(input, weight, bias, False))


def times(input: Tensor, matrix: Tensor) -> Tensor:
    """`input @ matrix`, as `linear` has it: input `(…, in)`, matrix `(in, out)` → `(…, out)`."""
    if not for_onednn(input, matrix.mT):
        return input @ matrix
    return cast(Tensor, _Product.apply(input, matrix, None, True))


def for_onednn(input: Tensor, weight: Tensor) -> bool:
    """Whether `linear` takes these to oneDNN. Sizes that do not fit are torch's too: its words name both."""
    if torch.compiler.is_compiling() or not (_is_plain(input) and _is_plain(weight)):
        return False
    if weight.ndim != 2 or input.shape[-1] != weight.shape[1]:
        return False
    available = torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)
    return available and input.numel() * weight.shape[0] >= LARGE and not _is_watched()


def product(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """oneDNN's linear layer, out of autograd, for tensors that `for_onednn` lets through; torch compiles to this op."""
    made: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "none")
    return made


class _Product(torch.autograd.Function):
    """A large `input @ matrixᵀ + bias`, or `input @ matrix`; its backward takes the same way, and is differentiable.

    The gradient of the matrix is laid out as the matrix, and no view: autograd adds others to it in place.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, matrix: Tensor, bias: Tensor | None, straight: bool) -> Tensor:
        of_input, of_matrix, *_ = ctx.needs_input_grad
        ctx.save_for_backward(input if of_matrix else None, matrix if of_input else None)
        ctx.straight = straight
        return product(input, matrix.mT if straight else matrix, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        input, matrix = ctx.saved_tensors
        rows, of_input, of_matrix = gradient.flatten(0, -2), None, None
        if matrix is not None:
            of_input = linear(gradient, matrix) if ctx.straight else times(gradient, matrix)
        if input is not None:
            given = input.flatten(0, -2)
            of_matrix = _sum_of_products(given, rows) if ctx.straight else _sum_of_products(rows, given)
        return of_input, of_matrix, rows.sum(0) if ctx.needs_input_grad[2] else None, None


def _sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """`leftᵀ @ right`: over many rows torch's library is faster, over few oneDNN."""
    few = len(left) <= 2 * min(left.shape[1], right.shape[1])
    return times(left.mT, right) if few else left.mT @ right


def _is_plain(tensor: Tensor) -> bool:
    """Whether it holds float32 numbers on the CPU, and is no stand-in of a tracer or a transform."""
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and tensor.dtype == torch.float32
    return plain and tensor.ndim >= 2 and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _is_watched() -> bool:
    """Whether something knows torch's own layer alone: autocast, a counter of operations, forward-mode gradients."""
    by_mode = torch.is_autocast_enabled("cpu") or torch._C._len_torch_dispatch_stack() > 0
    return by_mode or forward_ad._current_level >= 0
