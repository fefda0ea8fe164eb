"""The bottleneck that writes the residual: norm, grouped down, up, norm, and a gate that starts at zero."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped
from .grouped import GroupedLinear, TokenBatchNorm, norm_of_linear

Sized = Callable[[int], nn.Module]
"""A factory that is called with a width."""


class Gate(nn.Module):
    """One learned number, zero at first: what it multiplies is silent until training gives it a voice."""

    def __init__(self, channels: int = 1):
        """`channels` is accepted as by every factory of a width, and not used: the gate is one number."""
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """The stream times the gate."""
        return self.scale * stream


class NormThenGate(nn.Module):
    """Layer norm, then the gate: the end of a bottleneck in AVE, AVVP, AVQA (image side) and few-shot.

    The gate is folded into weight and bias of the norm, so that no normalised stream is kept for the gate's gradient.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.gate = Gate()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """`gate · norm(stream)`."""
        check_width(self, "stream", stream, self.norm.normalized_shape[0])
        weight, bias = self.gate.scale * self.norm.weight, self.gate.scale * self.norm.bias
        return F.layer_norm(stream, self.norm.normalized_shape, weight, bias, self.norm.eps)


class GateThenNorm(nn.Module):
    """The gate, then layer norm: AVS as released. A gate that is not zero has no scale here, only a sign."""

    def __init__(self, channels: int):
        super().__init__()
        self.gate = Gate()
        self.norm = nn.LayerNorm(channels)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """`norm(gate · stream)`."""
        check_width(self, "stream", stream, self.norm.normalized_shape[0])
        return self.norm(self.gate(stream))


class Bottleneck(nn.Module):
    """Norm → down by `reduction` → batch norm → ReLU → up → batch norm → norm and gate.

    Shapes: stream `(frame, token, channel)` → residual of the same shape, zero before training.
    Source: the adapter of LAVisH and DG-SCT. Their variants are factories of a width: `before=nn.Identity`,
    `norm=nn.Identity`, `finish=GateThenNorm` (AVS image side), `nn.LayerNorm` (AVS sound side), `Gate` (no norm).
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 8,
        groups: int = 2,
        before: Sized = nn.LayerNorm,
        norm: Sized = TokenBatchNorm,
        finish: Sized = NormThenGate,
    ):
        """
        - `channels`: width of the stream.
        - `reduction`: the hidden layer has `channels // reduction` units; must divide `channels`.
        - `groups`: groups of both linear layers; must divide `channels` and the hidden width.
        - `before`, `norm`, `finish`: factories of the norm on entry, after each linear layer, and of the end.
        """
        super().__init__()
        if channels % reduction:
            raise ValueError(f"Bottleneck: reduction={reduction} must divide channels={channels}.")
        hidden = channels // reduction
        self.before = before(channels)
        self.down = GroupedLinear(channels, hidden, groups=groups)
        self.down_norm = norm(hidden)
        self.up = GroupedLinear(hidden, channels, groups=groups)
        self.up_norm = norm(channels)
        self.finish = finish(channels)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """The residual."""
        check_width(self, "stream", stream, self.up.weight.shape[0])
        hidden = self.down_norm(self.down(self.before(stream))).relu()
        return self.finish(norm_of_linear(self.up_norm, self.up, hidden))
