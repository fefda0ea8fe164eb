"""The mean of a relu over tokens, in two passes, keeping one bit of truth for every number."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

PIECE = 2**18
"""Numbers whose relu is formed at a time on the CPU: they stay in its cache."""


def mean_of_relu(projected: Tensor) -> Tensor:
    """Computes `projected.relu().mean(1, keepdim=True)`, of `(frame, token, channel)`.

    The relu is never held whole, and for the backward its signs alone are kept; the gradient is written once.
    """
    if torch.compiler.is_compiling():  # a compiler fuses this itself, and refuses a custom jvp
        return torch.where(projected <= 0, 0.0, projected).mean(1, keepdim=True)
    return cast(Tensor, _MeanOfRelu.apply(projected)[0])


class _MeanOfRelu(torch.autograd.Function):
    """Maps a projected stream to the mean of its relu and to where it is not positive, which the backward reads."""

    generate_vmap_rule = True

    @staticmethod
    def forward(projected: Tensor) -> tuple[Tensor, Tensor]:
        count = projected.numel() // PIECE if projected.device.type == "cpu" else 0
        means = [F.relu(piece).mean(1, keepdim=True) for piece in projected.chunk(max(1, count))]
        return torch.cat(means), projected <= 0

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # a gradient of the signs would be zeros, of every number one
        ctx.save_for_backward(output[1])
        ctx.save_for_forward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, of_signs: Any) -> Tensor | None:
        if gradient is None:
            return None
        (absent,) = ctx.saved_tensors
        # divided while it is small: the backward of a mean would write a quotient of the stream's size
        return torch.where(absent, 0.0, gradient / absent.shape[1])

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> tuple[Tensor, None]:
        (absent,) = ctx.saved_tensors
        return torch.where(absent, 0.0, tangent).mean(1, keepdim=True), None
