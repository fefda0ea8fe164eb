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
    a block: it is worked through in pieces of a few frames where the weights are frozen, and without gradients GELU
    takes no tensor of its own.
    """

    def __init__(self, width: int, ratio: float):
        super().__init__(width, [int(width * ratio), width], activation_layer=nn.GELU)

    def forward(self, input: Tensor) -> Tensor:
        """As the plain layers one after another."""
        widen, _, _, narrow, _ = self
        weights = widen.weight, widen.bias, narrow.weight, narrow.bias
        trained = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
        differentiated = trained or (torch.is_grad_enabled() and input.requires_grad)
        if for_onednn(input, widen.weight) and not trained:
            if differentiated:
                return cast(Tensor, _Frozen.apply(input, *weights)[0])
            hidden = (torch.ops.aten.gelu_(product(piece, *weights[:2])) for piece in pieces(input, widen.weight))
            return torch.cat([product(piece, *weights[2:]) for piece in hidden])
        before = linear(input, *weights[:2])
        in_place = not (differentiated or torch.compiler.is_compiling())
        return linear(torch.ops.aten.gelu_(before) if in_place else F.gelu(before), *weights[2:])


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
