"""The layers of a bottleneck: a grouped linear layer, batch norm over tokens, and both fused into one product."""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..plain import is_affine, is_plain
from ..precision import without_autocast
from ..shapes import check_width, shaped


class GroupedLinear(nn.Module):
    """Projects channels, without bias, within groups that do not mix: a 1×1 grouped convolution.

    Shapes: stream `(frame, token, channel)` → `(frame, token, out_channel)`.
    """

    def __init__(self, channels: int, out_channels: int, *, groups: int):
        """Builds the layer.

        Args:
            channels: Width of the input.
            out_channels: Width of the output.
            groups: Number of groups; must divide both widths.

        Raises:
            ValueError: If `groups` does not divide both widths.
        """
        super().__init__()
        if groups < 1 or channels % groups or out_channels % groups:
            raise ValueError(
                f"GroupedLinear: groups={groups} must divide channels={channels} and out_channels={out_channels}."
            )
        self.channels, self.groups = channels, groups
        self.weight = nn.Parameter(torch.empty(out_channels, channels // groups))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as torch's linear and convolution layers start

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token out_channel"]:
        """Computes the projected stream."""
        check_width(self, "stream", stream, self.channels)
        return torch.einsum("ftgi,goi->ftgo", self._grouped(stream), self._by_group(self.weight)).flatten(2)

    def affine(self, stream: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """Computes `forward(stream) * scale + bias`, both of each output channel, `(out_channel,)`, in its products.

        Group by group: where a layer widens, one product for all groups would be copied into place, and its gradient
        back, and the bias would take a pass of its own.
        """
        check_width(self, "stream", stream, self.channels)
        # A scale that follows from statistics is float32 at least; the product is in the dtype of the layer.
        weight = (self.weight * scale[:, None]).to(self.weight.dtype)
        rows = stream.flatten(0, 1).chunk(self.groups, 1)
        groups = zip(bias.to(weight.dtype).chunk(self.groups), rows, weight.chunk(self.groups), strict=True)
        made = [torch.addmm(of_bias, of_rows, of_weight.mT) for of_bias, of_rows, of_weight in groups]
        return torch.cat(made, 1).unflatten(0, stream.shape[:2])

    def variance(self, centred: Tensor) -> Tensor:
        r"""Computes the variance of each channel of `forward(centred)` over frames and tokens, in float32.

        From the covariance $\Sigma$ of the channels of the stream, whose mean is zero: $w^\top \Sigma w$.
        """
        with without_autocast(centred.device):
            grouped = self._grouped(centred.to(torch.promote_types(centred.dtype, torch.float32)))
            covariance = torch.einsum("ftgi,ftgj->gij", grouped, grouped) / grouped.shape[:2].numel()
            weight = self._by_group(self.weight).to(covariance.dtype)
            # the diagonal of w Σ wᵀ, without the rest of it
            return (weight @ covariance * weight).sum(-1).flatten()

    def _grouped(self, stream: Tensor) -> Tensor:
        return rearrange(stream, "frame token (group i) -> frame token group i", group=self.groups)

    def _by_group(self, weight: Tensor) -> Tensor:
        return rearrange(weight, "(group o) i -> group o i", group=self.groups)

    def extra_repr(self) -> str:
        """Shows both widths and the groups."""
        return f"{self.channels}, {self.weight.shape[0]}, groups={self.groups}"


class TokenBatchNorm(nn.BatchNorm1d):
    """Applies batch norm to every channel, over frames and tokens.

    Input and gradient are laid out `(frame, channel, token)`, contiguous: over `(frame·token, channel)` torch's CPU
    kernel loses a digit and a half in float32, over a channels-last view its backward is silently wrong, and of a
    gradient laid out otherwise than the input `torch.compile` expects another layout than the kernel returns.
    """

    @shaped
    def forward(self, input: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the normalised stream."""
        check_width(self, "input", input, self.num_features)
        normalised = super().forward(input.mT.contiguous())
        if not torch.compiler.is_compiling():  # a compiler lays gradients out itself, and refuses a custom jvp
            normalised = _ContiguousGradient.apply(normalised)
        return normalised.mT

    def _momentum(self) -> float | Tensor:
        """Counts this batch, and returns how far the running statistics move towards it."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                mean = self.running_mean
                return (1 / self.num_batches_tracked).to(self.weight.dtype if mean is None else mean.dtype)
        return self.momentum or 0.0  # as torch: without a momentum and a count, the statistics stay


class _ContiguousGradient(torch.autograd.Function):
    """Returns its input; makes the gradient contiguous. Transforms of `torch.func` and forward mode pass through it."""

    @staticmethod
    def forward(normalised: Tensor) -> Tensor:
        return normalised.view_as(normalised)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Keeps nothing."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.view_as(tangent)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], normalised: Tensor) -> tuple[Tensor, int | None]:
        return _ContiguousGradient.apply(normalised), in_dims[0]


def fused_linear_batchnorm(linear: nn.Module, norm: nn.Module, stream: Tensor) -> Tensor:
    """Computes `norm(linear(stream))`; of plain layers through the weight, without forming what the norm would read.

    Mean and variance of the projected stream follow from mean and covariance of the stream, which has fewer channels.

    Args:
        linear: A `GroupedLinear`, or any other layer, which is then called.
        norm: A `TokenBatchNorm`, or any other layer, which is then called.
        stream: `(frame, token, channel)`.
    """
    if not isinstance(linear, GroupedLinear) or not isinstance(norm, TokenBatchNorm):
        return norm(linear(stream))
    values, mean, variance = stream.shape[0] * stream.shape[1], norm.running_mean, norm.running_var
    alone = norm.training and values == 1  # torch's own error refuses it
    plain = is_plain(linear, GroupedLinear) and is_affine(norm, TokenBatchNorm)
    if not plain or mean is None or variance is None or alone:
        return norm(linear(stream))
    if not norm.training:
        exact = torch.promote_types(variance.dtype, torch.float32)
        scale = norm.weight * (variance.to(exact) + norm.eps).rsqrt()
        return linear.affine(stream, scale, (norm.bias - mean * scale).to(norm.bias.dtype))
    centre = stream.mean((0, 1), keepdim=True)
    # centred first: a difference of large sums would lose the digits of a small variance
    spread = linear.variance(stream - centre)
    with torch.no_grad():
        momentum = norm._momentum()
        mean.lerp_(linear(centre).flatten().to(mean.dtype), momentum)
        # running statistics hold the unbiased variance, the batch is normalised by the biased one: as in torch
        variance.lerp_((spread * values / (values - 1)).to(variance.dtype), momentum)
    return linear.affine(stream - centre, norm.weight * (spread + norm.eps).rsqrt(), norm.bias)
