"""Channel guidance: which channels of a stream does the other modality vouch for?"""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .mean_of_relu import mean_of_relu


class ChannelGuidance(nn.Module):
    r"""Scores every channel of a stream against a cue from the other modality.

    $$M = \sigma\big(W_\uparrow\,\mathrm{relu}(W_\downarrow
          \operatorname{mean}_t [\mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c)])\big)$$

    The mean over tokens commutes with the product by the cue and is taken first.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, channel)` in [0, 1].
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023, the channel attention of DG-SCT.
    """

    def __init__(self, channels: int, cue_channels: int, *, reduction: int = 2):
        """Builds the block.

        Args:
            channels: Width of the guided stream.
            cue_channels: Width of the cue.
            reduction: The hidden layer has `channels // reduction` units; must divide `channels`.

        Raises:
            ValueError: If `reduction` does not divide `channels`.
        """
        super().__init__()
        if reduction < 1 or channels % reduction:
            raise ValueError(f"ChannelGuidance: reduction={reduction} must divide channels={channels}.")
        self.channels, self.cue_channels = channels, cue_channels
        self.stream_proj = nn.Linear(channels, channels)
        self.cue_proj = nn.Linear(cue_channels, channels)
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 channel"]:
        """Computes the map; never applies it."""
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        present = mean_of_relu(self.stream_proj(stream))
        return self.excite(self.squeeze(present * self.cue_proj(cue).relu()[:, None]).relu()).sigmoid()
