"""Spatial guidance: which tokens of a stream does the other modality point at?"""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SpatialGuidance(nn.Module):
    r"""Scores every token of a stream against a cue from the other modality.

    $$e_t = w^\top [\mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c)] + b, \qquad M_t = \sigma(e_t)$$

    On audio tokens this is what the released code calls frequency attention: one value a time-frequency position.
    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, token, 1)` in [0, 1].
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023, the spatial attention of DG-SCT.

    `sees` asks a modulation for the stream already scaled by (1 + map) of the maps named, where they exist.
    """

    def __init__(self, channels: int, cue_channels: int, *, reduction: int = 2, sees: tuple[str, ...] = ("channel",)):
        """
        - `channels`: width of the guided stream.
        - `cue_channels`: width of the cue.
        - `reduction`: the hidden layer has `channels // reduction` units; must divide `channels`.
        - `sees`: names of earlier maps that scale the stream this block looks at.
        """
        super().__init__()
        if channels % reduction:
            raise ValueError(f"SpatialGuidance: reduction={reduction} must divide channels={channels}.")
        self.sees = sees
        self.stream_proj = nn.Linear(channels, channels // reduction)
        self.cue_proj = nn.Linear(cue_channels, channels // reduction)
        self.readout = nn.Linear(channels // reduction, 1)

    @shaped
    def score(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """The logits of the map, unbounded."""
        check_width(self, "stream", stream, self.stream_proj.in_features)
        check_width(self, "cue", cue, self.cue_proj.in_features)
        return self.readout(self.stream_proj(stream).relu() * self.cue_proj(cue).relu()[:, None])

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Returns the map; never applies it."""
        return self.score(stream, cue).sigmoid()
