"""The feed-forward half of a transformer block: two linear layers with GELU between them."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MLP

from ..linear import for_onednn, linear, product, times

PIECE = 2**22
"""Numbers of a hidden layer that are computed in one go on the CPU."""


class FeedForward(MLP):
    """Two linear layers with GELU between them, the hidden one of `int(width * ratio)` units.

    On the CPU a fresh large tensor costs as much time as what is computed in it, and the hidden layer is the largest of
    a block: without gradients GELU takes no tensor of its own, and with frozen weights forward and backward work
    through it a few frames at a time. A layer that was replaced, or that somebody listens to, is called as it is.
    """

    def __init__(self, width: int, ratio: float):
        super().__init__(width, [int(width * ratio), width], activation_layer=nn.GELU)

    def forward(self, input: Tensor) -> Tensor:
        """As the plain layers one after another."""
        if torch.compiler.is_compiling() or not all(map(_is_its_own, self)):
            return super().forward(input)
        widen, _, _, narrow, _ = self
        weights = widen.weight, widen.bias, narrow.weight, narrow.bias
        frozen = not any(weight.requires_grad for weight in weights)
        if not torch.is_grad_enabled() or (frozen and not input.requires_grad):
            return linear(torch.ops.aten.gelu_(linear(input, *weights[:2])), *weights[2:])
        if frozen and for_onednn(input, widen.weight):
            return cast(Tensor, _Frozen.apply(input, *weights)[0])
        return linear(F.gelu(linear(input, *weights[:2])), *weights[2:])


def _is_its_own(layer: nn.Module) -> bool:
    """Whether it does what the constructor's does there, and nobody listens."""
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks:
        return False
    if isinstance(layer, nn.GELU):
        return layer.approximate == "none"
    return layer.p == 0 if isinstance(layer, nn.Dropout) else type(layer) is nn.Linear


def pieces(input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """`input` in pieces of about as many frames as make `PIECE` numbers of the layer that `weight` leads to."""
    hidden = input.shape[:-1].numel() * weight.shape[0]
    return input.chunk(max(1, round(hidden / PIECE)))


class _Frozen(torch.autograd.Function):
    """Both layers with frozen weights, piece by piece.

    Gives the hidden layer before GELU too, which is what is kept for the backward: so that all differentiates twice.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, widen: Tensor, bias: Tensor, narrow: Tensor, last: Tensor) -> Any:
        before = [product(piece, widen, bias) for piece in pieces(input, widen)]
        ctx.save_for_backward(widen, narrow, *before)
        ctx.set_materialize_grads(False)
        return torch.cat([product(F.gelu(piece), narrow, last) for piece in before]), *before

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, *of_before: Tensor | None) -> Any:
        widen, narrow, *before = ctx.saved_tensors
        sizes = [len(piece) for piece in before]
        gradients = [None] * len(before) if gradient is None else gradient.split(sizes)
        made = [
            times(_before_gelu(given, piece, narrow, more), widen)
            for given, piece, more in zip(gradients, before, of_before, strict=True)
        ]
        return torch.cat(made), None, None, None, None


def _before_gelu(gradient: Tensor | None, before: Tensor, narrow: Tensor, more: Tensor | None) -> Tensor:
    """The gradient of the hidden layer before GELU: from what follows, and `more` that was given to it itself."""
    if gradient is None:
        return torch.zeros_like(before) if more is None else more
    hidden = times(gradient, narrow)
    if torch.is_grad_enabled():
        hidden = torch.ops.aten.gelu_backward(hidden, before)
    else:
        torch.ops.aten.gelu_backward.grad_input(hidden, before, grad_input=hidden)
    return hidden if more is None else hidden + more
