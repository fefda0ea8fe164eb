"""The bottleneck that writes the residual: norm, grouped down, up, norm, and a gate that starts at zero."""

from collections.abc import Callable
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped

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
    """Layer norm, then the gate: the end of a bottleneck in AVE, AVVP, AVQA (image side) and few-shot."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.gate = Gate()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """`gate · norm(stream)`."""
        check_width(self, "stream", stream, self.norm.normalized_shape[0])
        return self.gate(self.norm(stream))


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


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch norm of every channel over frames and tokens.

    Input and gradient are laid out `(frame, channel, token)`, contiguous: over `(frame·token, channel)` torch's CPU
    kernel loses a digit and a half in float32, over a channels-last view its backward is silently wrong, and of a
    gradient laid out otherwise than the input `torch.compile` expects another layout than the kernel returns.
    """

    @shaped
    def forward(self, input: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """The normalised stream."""
        check_width(self, "input", input, self.num_features)
        return _ContiguousGradient.apply(super().forward(input.mT.contiguous())).mT


class _ContiguousGradient(torch.autograd.Function):
    """The identity, whose gradient is contiguous."""

    @staticmethod
    def forward(ctx: Any, normalised: Tensor) -> Tensor:
        return normalised.view_as(normalised)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


class GroupedLinear(nn.Module):
    """A linear layer without bias whose channels fall into groups that do not mix: a 1×1 grouped convolution."""

    def __init__(self, channels: int, out_channels: int, *, groups: int):
        super().__init__()
        if channels % groups or out_channels % groups:
            raise ValueError(
                f"GroupedLinear: groups={groups} must divide channels={channels} and out_channels={out_channels}."
            )
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(out_channels, channels // groups))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token out_channel"]:
        """The projected stream."""
        check_width(self, "stream", stream, self.weight.shape[1] * self.groups)
        grouped = rearrange(stream, "frame token (group i) -> frame token group i", group=self.groups)
        weight = rearrange(self.weight, "(group o) i -> group o i", group=self.groups)
        return torch.einsum("ftgi,goi->ftgo", grouped, weight).flatten(2)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1] * self.groups}, {self.weight.shape[0]}, groups={self.groups}"


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
        return self.finish(self.up_norm(self.up(hidden)))
