"""Low-rank channel guidance: stream and cue are compared along a few directions instead of in every channel."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .mean_of_relu import mean_of_relu


class LowRankChannelGuidance(nn.Module):
    r"""Scores every channel of a stream against a cue by how they match along a few learned directions.

    $$M = \sigma\big(W_\uparrow\,(\operatorname{mean}_t \mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c))\big),
        \qquad W_s, W_c \in \mathbb{R}^{r \times \cdot}$$

    `ChannelGuidance` with the hidden layer taken before the match instead of after it: of $C$ channels its stream
    projection costs $2 C r$ operations per token instead of $2 C^2$.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, channel)` in [0, 1].
    Source: ours, after the channel attention of DG-SCT.
    """

    def __init__(self, channels: int, cue_channels: int, *, rank: int = 32):
        """Builds the block.

        Args:
            channels: Width of the guided stream.
            cue_channels: Width of the cue.
            rank: Number of directions, at least 1.

        Raises:
            ValueError: If `rank` is less than 1.
        """
        super().__init__()
        if rank < 1:
            raise ValueError(f"LowRankChannelGuidance: rank={rank} must be at least 1 for channels={channels}.")
        self.channels, self.cue_channels = channels, cue_channels
        self.stream_proj = nn.Linear(channels, rank)
        self.cue_proj = nn.Linear(cue_channels, rank)
        self.excite = nn.Linear(rank, channels)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 channel"]:
        """Computes the map; never applies it."""
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        # the mean before the product, with which it commutes: one tensor of all tokens less
        match = mean_of_relu(self.stream_proj(stream)) * self.cue_proj(cue).relu()[:, None]
        return self.excite(match).sigmoid()
