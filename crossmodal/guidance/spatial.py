"""Spatial guidance: which tokens of a stream does the other modality point at?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..plain import is_affine
from ..shapes import check_width, shaped


class SpatialGuidance(nn.Module):
    r"""Scores every token of a stream against a cue from the other modality.

    $$e_t = w^\top [\mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c)] + b, \qquad M_t = \sigma(e_t)$$

    On audio tokens this is what the released code calls frequency attention: one value per time-frequency position.
    The cue is folded into $w$, so that the product with it is taken of one row instead of every token's.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, token, 1)` in [0, 1].
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023, the spatial attention of DG-SCT.
    """

    def __init__(self, channels: int, cue_channels: int, *, reduction: int = 2, sees: tuple[str, ...] = ("channel",)):
        """Builds the block.

        Args:
            channels: Width of the guided stream.
            cue_channels: Width of the cue.
            reduction: The hidden layer has `channels // reduction` units; must divide `channels`.
            sees: Names of earlier maps; where they exist, a modulation passes the product of their (1 + map) as
                `scale`, and the block reads the stream so scaled.

        Raises:
            ValueError: If `reduction` does not divide `channels`.
        """
        super().__init__()
        if reduction < 1 or channels % reduction:
            raise ValueError(f"SpatialGuidance: reduction={reduction} must divide channels={channels}.")
        self.channels, self.cue_channels, self.sees = channels, cue_channels, sees
        self.stream_proj = nn.Linear(channels, channels // reduction)
        self.cue_proj = nn.Linear(cue_channels, channels // reduction)
        self.readout = nn.Linear(channels // reduction, 1)

    @shaped
    def score(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        scale: Float[Tensor, "#frame #token #channel"] | None = None,
    ) -> Float[Tensor, "frame token 1"]:
        """Computes the logits of the map, unbounded.

        Args:
            stream: The guided stream.
            cue: The pooled guide.
            scale: The stream is read times this.
        """
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        asked, present = self.cue_proj(cue).relu(), linear_of_scaled(self.stream_proj, stream, scale).relu()
        if not is_affine(self.readout, nn.Linear):
            return self.readout(present * asked[:, None])
        return present @ (asked[:, :, None] * self.readout.weight.mT) + self.readout.bias

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        scale: Float[Tensor, "#frame #token #channel"] | None = None,
    ) -> Float[Tensor, "frame token 1"]:
        """Computes the map; never applies it. Arguments as of `score`."""
        return self.score(stream, cue, scale=scale).sigmoid()


def linear_of_scaled(linear: nn.Module, stream: Tensor, scale: Tensor | None) -> Tensor:
    """Returns `linear(stream * scale)`; a scale shared by all tokens goes into a plain layer's weight if smaller."""
    if scale is None:
        return linear(stream)
    if scale.shape[1] > 1 or not is_affine(linear, nn.Linear) or stream.shape[1] <= linear.out_features:
        return linear(stream * scale)
    return torch.baddbmm(linear.bias, stream, (linear.weight * scale).mT)
