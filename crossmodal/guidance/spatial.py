"""Spatial guidance: which tokens of a stream does the other modality point at?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..linear import Linear
from ..shapes import check_width, shaped


class SpatialGuidance(nn.Module):
    r"""Scores every token of a stream against a cue from the other modality.

    $$e_t = w^\top [\mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c)] + b, \qquad M_t = \sigma(e_t)$$

    On audio tokens this is what the released code calls frequency attention: one value a time-frequency position.
    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, token, 1)` in [0, 1].
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023, the spatial attention of DG-SCT.

    The cue is folded into $w$. `sees` asks a modulation for the scale (1 + map) of the maps named, where they exist:
    the block then looks at the stream so scaled.
    """

    def __init__(self, channels: int, cue_channels: int, *, reduction: int = 2, sees: tuple[str, ...] = ("channel",)):
        """
        - `channels`: width of the guided stream.
        - `cue_channels`: width of the cue.
        - `reduction`: the hidden layer has `channels // reduction` units; must divide `channels`.
        - `sees`: names of earlier maps whose (1 + map) scales the stream that this block looks at.
        """
        super().__init__()
        if channels % reduction:
            raise ValueError(f"SpatialGuidance: reduction={reduction} must divide channels={channels}.")
        self.sees = sees
        self.stream_proj = Linear(channels, channels // reduction)
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
        """The logits of the map, unbounded. `scale`: the stream is looked at times this."""
        check_width(self, "stream", stream, self.stream_proj.in_features)
        check_width(self, "cue", cue, self.cue_proj.in_features)
        readout = self.cue_proj(cue).relu()[:, :, None] * self.readout.weight.mT
        return linear_of_scaled(self.stream_proj, stream, scale).relu() @ readout + self.readout.bias

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        scale: Float[Tensor, "#frame #token #channel"] | None = None,
    ) -> Float[Tensor, "frame token 1"]:
        """Returns the map; never applies it. `scale`: the stream is looked at times this."""
        return self.score(stream, cue, scale=scale).sigmoid()


def linear_of_scaled(linear: nn.Linear, stream: Tensor, scale: Tensor | None) -> Tensor:
    """`linear(stream * scale)`; a scale that is the same for all tokens goes into the weight, where that is smaller."""
    if scale is None:
        return linear(stream)
    if scale.shape[1] > 1 or stream.shape[1] <= linear.out_features:
        return linear(stream * scale)
    return torch.baddbmm(linear.bias, stream, (linear.weight * scale).mT)
