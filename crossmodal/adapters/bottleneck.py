"""The bottleneck that writes the residual: norm, grouped down, up, norm, and a gate that starts at zero."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..named_draws import drawn
from ..plain import is_affine, is_plain
from ..shapes import check_width, shaped
from .grouped import GroupedLinear, TokenBatchNorm, fused_linear_batchnorm

Sized = Callable[[int], nn.Module]
"""A factory that is called with a width."""


class Gate(nn.Module):
    """Multiplies a stream by one learned number, which starts at zero: the residual is zero before training.

    Behind a closed gate a map gets no gradient; `start=0.3` opens it at once.

    Shapes: stream `(frame, token, channel)` → the same.
    """

    def __init__(self, channels: int = 1, *, start: float = 0.0):
        """Builds the gate.

        Args:
            channels: Accepted as by every factory of a width, and not used: the gate is one number.
            start: Its value before training; published: 0.
        """
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), float(start)))

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream times the gate."""
        return self.scale * stream


class NormThenGate(nn.Module):
    """Applies layer norm, then the gate: the end of a bottleneck in AVE, AVVP, AVQA (image side) and few-shot.

    While both are plain, the gate is folded into weight and bias of the norm, so that no normalised stream is kept for
    the gate's gradient.

    Shapes: stream `(frame, token, channel)` → the same.
    """

    def __init__(self, channels: int, *, start: float = 0.0):
        """Builds both.

        Args:
            channels: Width of the stream.
            start: Value of the gate before training; published: 0.
        """
        super().__init__()
        self.channels = channels
        self.norm = nn.LayerNorm(channels)
        self.gate = Gate(start=start)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes `gate · norm(stream)`."""
        check_width(self, "stream", stream, self.channels)
        if not (is_affine(self.norm, nn.LayerNorm) and is_plain(self.gate, Gate)):
            return self.gate(self.norm(stream))
        weight, bias = self.gate.scale * self.norm.weight, self.gate.scale * self.norm.bias
        return F.layer_norm(stream, self.norm.normalized_shape, weight, bias, self.norm.eps)


class GateThenNorm(nn.Module):
    """Applies the gate, then layer norm: AVS as released. A gate that is not zero has no scale here, only a sign.

    Shapes: stream `(frame, token, channel)` → the same.
    """

    def __init__(self, channels: int):
        """Builds both.

        Args:
            channels: Width of the stream.
        """
        super().__init__()
        self.channels = channels
        self.gate = Gate()
        self.norm = nn.LayerNorm(channels)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes `norm(gate · stream)`."""
        check_width(self, "stream", stream, self.channels)
        return self.norm(self.gate(stream))


class Bottleneck(nn.Module):
    """Computes a residual: norm → down by `reduction` → batch norm → ReLU → up → batch norm → norm and gate.

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
        """Builds the block.

        Args:
            channels: Width of the stream.
            reduction: The hidden layer has `channels // reduction` units; must divide `channels`.
            groups: Groups of both linear layers; must divide `channels` and the hidden width.
            before: Factory of the norm on entry.
            norm: Factory of the norm after each linear layer.
            finish: Factory of the end, which holds the gate.

        Raises:
            ValueError: If `reduction` or `groups` does not divide what it must.
        """
        super().__init__()
        if reduction < 1 or channels < 1 or channels % reduction:
            raise ValueError(f"Bottleneck: reduction={reduction} must divide channels={channels}.")
        hidden = channels // reduction
        self.channels = channels
        self.before = drawn("before", before, channels)
        self.down = GroupedLinear(channels, hidden, groups=groups)
        self.down_norm = drawn("down_norm", norm, hidden)
        self.up = GroupedLinear(hidden, channels, groups=groups)
        self.up_norm = drawn("up_norm", norm, channels)
        self.finish = drawn("finish", finish, channels)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the residual."""
        check_width(self, "stream", stream, self.channels)
        return self.write(self.before(stream))

    def write(self, normalised: Tensor) -> Tensor:
        """Computes the residual of a stream that has passed the norm on entry.

        `NormalisedFirst` calls it, to modulate between that norm and the rest.

        Args:
            normalised: `(frame, token, channel)`.
        """
        hidden = self.down_norm(self.down(normalised)).relu()
        return self.finish(fused_linear_batchnorm(self.up, self.up_norm, hidden))
