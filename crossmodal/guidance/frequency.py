"""Frequency guidance: which bands of a sound does the other modality listen for?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class FrequencyGuidance(nn.Module):
    r"""Scores every frequency band of an audio stream against a cue from the other modality.

    $$e_b = w^\top [\mathrm{relu}(W_s \operatorname{mean}_{t \in b} x_t) \odot \mathrm{relu}(W_c c)] + \beta,
      \qquad M_t = \sigma(e_{b(t)})$$

    One value per band, equal for all its tokens; the weights are shared by the bands, so a sound that moves up one band
    moves the map by one band. The band of a token comes from its site: folded spectrograms have several rows per band.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, token, 1)` in [0, 1].
    Source: ours; the released “frequency” map is `SpatialGuidance` on audio tokens.
    """

    band: Tensor

    def __init__(self, channels: int, cue_channels: int, *, bands: Sequence[int], reduction: int = 2):
        """Builds the block.

        Args:
            channels: Width of the guided stream.
            cue_channels: Width of the cue.
            bands: The band of every token, counted from 0, as in `site.axes["frequency"]`.
            reduction: The hidden layer has `channels // reduction` units; must divide `channels`.

        Raises:
            ValueError: If `reduction` does not divide `channels`, or `bands` leaves out a number.
        """
        super().__init__()
        if reduction < 1 or channels % reduction:
            raise ValueError(f"FrequencyGuidance: reduction={reduction} must divide channels={channels}.")
        if sorted(set(bands)) != list(range(max(bands, default=0) + 1)):
            raise ValueError(f"FrequencyGuidance: bands must number every band from 0 on, got {sorted(set(bands))}.")
        self.channels, self.cue_channels = channels, cue_channels
        self.stream_proj = nn.Linear(channels, channels // reduction)
        self.cue_proj = nn.Linear(cue_channels, channels // reduction)
        self.readout = nn.Linear(channels // reduction, 1)
        self.bands = max(bands) + 1
        self.register_buffer("band", torch.tensor(bands))

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Computes the map; never applies it."""
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        match = self.stream_proj(self.band_means(stream)).relu() * self.cue_proj(cue).relu()[:, None]
        return self.readout(match).sigmoid().index_select(1, self.band)

    def band_means(self, stream: Tensor) -> Tensor:
        """Computes the mean of the tokens of every band, `(frame, band, channel)`."""
        if stream.shape[1] != len(self.band):
            raise ValueError(
                f"FrequencyGuidance: stream has {stream.shape[1]} tokens, but bands were given for {len(self.band)}: "
                f"build the block from the site of this stream."
            )
        # by index: where time is folded, the tokens of a band lie apart, and no reshape gathers them
        totals = stream.new_zeros(stream.shape[0], self.bands, stream.shape[2]).index_add(1, self.band, stream)
        counts = stream.new_zeros(self.bands).index_add(0, self.band, stream.new_ones(len(self.band)))
        return totals / counts[:, None]

    def extra_repr(self) -> str:
        """Shows bands and tokens."""
        return f"bands={self.bands}, tokens={len(self.band)}"
