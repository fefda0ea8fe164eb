"""The layers of a bottleneck: a grouped linear layer, batch norm over tokens, and the two as one product."""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..precision import without_autocast
from ..shapes import check_width, shaped


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
        return self.scaled(stream)

    def scaled(self, stream: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """`forward(stream) * scale`, with the scale of every output channel, `(out_channel,)`, in the weight."""
        check_width(self, "stream", stream, self.weight.shape[1] * self.groups)
        grouped = self._grouped(stream)
        weight = self.weight if isinstance(scale, float) else self.weight * scale[:, None]
        return torch.einsum("ftgi,goi->ftgo", grouped, self._by_group(weight)).flatten(2)

    def variance(self, centred: Tensor) -> Tensor:
        r"""The variance of every channel of `forward(centred)` over frames and tokens, `(out_channel,)`, in float32.

        From the covariance $\Sigma$ of the channels of the stream, whose mean is zero: $w^\top \Sigma w$.
        """
        with without_autocast(centred.device):
            grouped = self._grouped(centred.to(torch.promote_types(centred.dtype, torch.float32)))
            covariance = torch.einsum("ftgi,ftgj->gij", grouped, grouped) / grouped.shape[:2].numel()
            weight = self._by_group(self.weight).to(covariance.dtype)
            return (weight @ covariance * weight).sum(-1).flatten()

    def _grouped(self, stream: Tensor) -> Tensor:
        return rearrange(stream, "frame token (group i) -> frame token group i", group=self.groups)

    def _by_group(self, weight: Tensor) -> Tensor:
        return rearrange(weight, "(group o) i -> group o i", group=self.groups)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1] * self.groups}, {self.weight.shape[0]}, groups={self.groups}"


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

    def of_linear(self, linear: GroupedLinear, stream: Tensor) -> Tensor:
        """`self(linear(stream))` through the weight of `linear`: what the norm would read is never formed.

        Mean and variance of that follow from mean and covariance of the stream, which has fewer channels.
        """
        values, mean, variance = stream.shape[:2].numel(), self.running_mean, self.running_var
        alone = self.training and values == 1  # torch's own words refuse it
        if mean is None or variance is None or not self.affine or alone:
            return self(linear(stream))
        if not self.training:
            scale = self.weight * (variance + self.eps).rsqrt()
            return linear.scaled(stream, scale) + (self.bias - mean * scale)
        centre = stream.mean((0, 1), keepdim=True)
        spread = linear.variance(stream - centre)
        with torch.no_grad():
            part = self._part()
            mean.lerp_(linear(centre).flatten().to(mean.dtype), part)
            variance.lerp_((spread * values / (values - 1)).to(variance.dtype), part)
        return linear.scaled(stream - centre, self.weight * (spread + self.eps).rsqrt()) + self.bias

    def _part(self) -> float | Tensor:
        """How far the running numbers move towards this batch, which is counted."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return 1 / self.num_batches_tracked
        return self.momentum or 0.0


class _ContiguousGradient(torch.autograd.Function):
    """The identity, whose gradient is contiguous."""

    @staticmethod
    def forward(ctx: Any, normalised: Tensor) -> Tensor:
        return normalised.view_as(normalised)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


def norm_of_linear(norm: nn.Module, linear: GroupedLinear, stream: Tensor) -> Tensor:
    """`norm(linear(stream))`, as one product where the norm can."""
    return norm.of_linear(linear, stream) if isinstance(norm, TokenBatchNorm) else norm(linear(stream))
