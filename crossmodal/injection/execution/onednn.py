"""Large float32 products on the CPU by oneDNN, where a timing found it faster than the library that torch takes."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from ...plain import Products
from .kernel_choice import library_for, onednn_is_on, product_by, product_class

LARGE = 2**24
"""Multiplications from which on oneDNN computes a product: a smaller one gains less than the call costs."""

PIECE = 2**22
"""Numbers of the hidden layer of a feed-forward that are computed at a time."""


class OneDNN(Products):
    """Products with the weights of linear layers, any number of times differentiable; small ones are torch's own.

    Large products of float32 on the CPU go to oneDNN, forwards and backwards, if it was the faster on this machine:
    `kernel_choice` times both once. docs/performance.md says what that gains.
    All else is torch's: other devices and dtypes, autocast, `torch.compile`, transforms of `torch.func`,
    forward-mode gradients, a counter of operations, and everything after `torch.backends.mkldnn.enabled = False`.
    """

    @staticmethod
    def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Returns `F.linear(input, weight, bias)`: input `(…, in)`, weight `(out, in)` → `(…, out)`."""
        # a bias of another shape is torch's to broadcast or to refuse
        if not for_onednn(input, weight) or (bias is not None and bias.shape != weight.shape[:1]):
            return F.linear(input, weight, bias)
        return cast(Tensor, _Product.apply(input, weight, bias, False))

    @staticmethod
    def times(input: Tensor, matrix: Tensor) -> Tensor:
        """Returns `input @ matrix`: input `(…, in)`, matrix `(in, out)` → `(…, out)`."""
        if not for_onednn(input, matrix.mT, "times"):
            return input @ matrix
        return cast(Tensor, _Product.apply(input, matrix, None, True))

    @staticmethod
    def feed_forward(input: Tensor, widen: nn.Linear, narrow: nn.Linear) -> Tensor:
        """Returns `narrow(gelu(widen(input)))`; with frozen weights a few frames at a time, forwards and backwards.

        On the CPU a fresh large tensor costs as much time as what is computed in it, and the hidden layer is the
        largest of a block.
        """
        weights = widen.weight, widen.bias, narrow.weight, narrow.bias
        learning = any(weight is not None and weight.requires_grad for weight in weights)
        needs_gradient = torch.is_grad_enabled() and input.requires_grad
        if learning or not needs_gradient or not is_large_product(input, widen.weight):
            return Products.feed_forward(input, widen, narrow)
        return cast(Tensor, _InPieces.apply(input, *weights)[0])


def for_onednn(input: Tensor, weight: Tensor, form: str = "linear") -> bool:
    """Returns whether a product goes to oneDNN: a large one, of a class in which it was found to be faster.

    Args:
        input: `(…, in)`.
        weight: `(out, in)`.
        form: Of the product, as `ProductClass` takes it.
    """
    return is_large_product(input, weight) and _library(input, weight, form) == "onednn"


def is_large_product(input: Tensor, weight: Tensor) -> bool:
    """Returns whether it is worth a choice. Sizes that do not fit go to torch, whose error names both."""
    if torch.compiler.is_compiling() or not (_is_ordinary(input) and _is_ordinary(weight)):
        return False
    if weight.ndim != 2 or input.shape[-1] != weight.shape[1]:
        return False
    return onednn_is_on() and input.numel() * weight.shape[0] >= LARGE and not _is_watched()


def product(input: Tensor, weight: Tensor, bias: Tensor | None = None, form: str = "linear") -> Tensor:
    """Returns the linear layer, out of autograd, of tensors that `is_large_product` accepts."""
    return product_by(_library(input, weight, form), input, weight, bias)


def _library(input: Tensor, weight: Tensor, form: str) -> str:
    rows, (outer, inner) = input.numel() // max(1, input.shape[-1]), weight.shape
    if form == "gradient":  # of `leftᵀ @ right`, what is summed over are the rows
        rows, inner = inner, rows
    return library_for(product_class(form, rows, inner, outer))


def pieces(input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Splits `input` along its frames, so that each piece makes about `PIECE` numbers of the layer of `weight`."""
    hidden = input.shape[:-1].numel() * weight.shape[0]
    return input.chunk(max(1, round(hidden / PIECE)))


class _Product(torch.autograd.Function):
    """Computes a large `input @ matrixᵀ + bias`, or `input @ matrix`, and its gradients by differentiable products.

    The gradient of the matrix is laid out as the matrix, and no view: autograd adds others to it in place.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, matrix: Tensor, bias: Tensor | None, straight: bool) -> Tensor:
        of_input, of_matrix, *_ = ctx.needs_input_grad
        # what no gradient asks for is not kept: for a frozen layer, its input
        ctx.save_for_backward(input if of_matrix else None, matrix if of_input else None)
        ctx.straight = straight
        return product(input, matrix.mT if straight else matrix, bias, "times" if straight else "linear")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        input, matrix = ctx.saved_tensors
        rows, of_input, of_matrix = gradient.flatten(0, -2), None, None
        if matrix is not None:
            of_input = (OneDNN.linear if ctx.straight else OneDNN.times)(gradient, matrix)
        if input is not None:
            given = input.flatten(0, -2)
            of_matrix = _sum_of_products(given, rows) if ctx.straight else _sum_of_products(rows, given)
        return of_input, of_matrix, rows.sum(0) if ctx.needs_input_grad[2] else None, None


class _InPieces(torch.autograd.Function):
    """Computes two linear layers with frozen weights and GELU between them, piece by piece.

    Returns the hidden layer before GELU too, which is what is kept for the backward: so that all differentiates twice.
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, widen: Tensor, bias: Tensor | None, narrow: Tensor, last: Tensor | None
    ) -> Any:
        before = [product(piece, widen, bias) for piece in pieces(input, widen)]
        ctx.save_for_backward(widen, narrow, *before)
        # the hidden layer has gradients of its own only where something differentiates twice: no zeros for it
        ctx.set_materialize_grads(False)
        return torch.cat([product(F.gelu(piece), narrow, last) for piece in before]), *before

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, *of_before: Tensor | None) -> Any:
        widen, narrow, *before = ctx.saved_tensors
        sizes = [len(piece) for piece in before]
        gradients = [None] * len(before) if gradient is None else gradient.split(sizes)
        made = [
            OneDNN.times(_before_gelu(given, piece, narrow, more), widen)
            for given, piece, more in zip(gradients, before, of_before, strict=True)
        ]
        return torch.cat(made), None, None, None, None


def _before_gelu(gradient: Tensor | None, before: Tensor, narrow: Tensor, more: Tensor | None) -> Tensor:
    """Returns the gradient of the hidden layer before GELU: from what follows, plus `more` given to it directly."""
    if gradient is None:
        return torch.zeros_like(before) if more is None else more
    hidden = OneDNN.times(gradient, narrow)
    if torch.is_grad_enabled():
        hidden = torch.ops.aten.gelu_backward(hidden, before)
    else:  # in place: nothing differentiates through it
        torch.ops.aten.gelu_backward.grad_input(hidden, before, grad_input=hidden)
    return hidden if more is None else hidden + more


def _sum_of_products(left: Tensor, right: Tensor) -> Tensor:
    """Returns `leftᵀ @ right`, a sum over rows."""
    if not for_onednn(left.mT, right.mT, "gradient"):
        return left.mT @ right
    return cast(Tensor, _Product.apply(left.mT, right, None, True))


def _is_ordinary(tensor: Tensor) -> bool:
    """Returns whether it holds float32 numbers on the CPU, and is no stand-in of a tracer or a transform."""
    ordinary = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and tensor.dtype == torch.float32
    return ordinary and tensor.ndim >= 2 and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _is_watched() -> bool:
    """Returns whether something knows torch's own layer alone: autocast, a dispatch mode, forward-mode gradients."""
    by_mode = torch.is_autocast_enabled("cpu") or torch._C._len_torch_dispatch_stack() > 0
    return by_mode or forward_ad._current_level >= 0
