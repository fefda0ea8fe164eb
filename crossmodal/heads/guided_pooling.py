"""Pooling of a visual stream under guidance: channels scaled by one map, tokens weighed by another."""

from jaxtyping import Float
from torch import Tensor, nn

from ..guidance import ChannelGuidance, SpatialGuidance
from ..shapes import check_width, shaped
from .pooling import pool_tokens


class GuidedPooling(nn.Module):
    """Scales the channels of a stream by a cue, then pools its tokens by the spatial map of the scaled stream.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → `(frame, channel)`.
    Source: the audio-guided spatial-channel attention of CMRAN (Xu et al., ACM MM 2020), from which DG-SCT's stems.
    """

    def __init__(self, channels: int, cue_channels: int):
        """Builds both guidances.

        Args:
            channels: Width of the stream; even.
            cue_channels: Width of the cue.
        """
        super().__init__()
        self.channel, self.spatial = ChannelGuidance(channels, cue_channels), SpatialGuidance(channels, cue_channels)

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        seen: Float[Tensor, "frame token channel"] | None = None,
    ) -> Float[Tensor, "frame channel"]:
        """Pools the stream.

        Args:
            stream: What is scaled and pooled.
            cue: One vector per frame, of the other modality.
            seen: What the channel map is read from, where that is not the stream itself: CMBS reads the stream after
                self-attention and scales the one before.
        """
        scaled = stream * (1 + self.channel(stream if seen is None else seen, cue))
        return pool_tokens(scaled, self.spatial(scaled, cue))


class TokenSelfAttention(nn.Module):
    """Lets the tokens of a frame attend to each other, by one head without scaling, with a residual and a norm.

    Shapes: `(frame, token, channel)` → the same. Source: CMBS (Xia and Zhao, CVPR 2022), as its code computes it; the
    authors note there that the paper's attention is another.
    """

    def __init__(self, channels: int, *, key: int = 128, dropout: float = 0.2):
        """Builds the block; the defaults are the published numbers.

        Args:
            channels: Width of the stream.
            key: Width of queries and keys.
            dropout: Dropout rate of what is attended to.
        """
        super().__init__()
        self.query, self.key = nn.Linear(channels, key), nn.Linear(channels, key)
        self.value = nn.Linear(channels, channels)
        self.norm, self.dropout = nn.LayerNorm(channels), nn.Dropout(dropout)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream after attention."""
        check_width(self, "stream", stream, self.value.in_features)
        weights = (self.query(stream) @ self.key(stream).mT).softmax(2)
        return self.norm(stream + self.dropout(weights @ self.value(stream)))


class SelfGuidedPooling(nn.Module):
    r"""Pools a stream under guidance by a cue, and lets the stream itself amplify channels of the result.

    With $s$ the stream after self-attention, $o$ its tokens pooled by a spatial map against their own mean, and $h$ the
    guided pooling, whose channel map is read from $s$ and scales the raw stream: $h + \beta\,\sigma(o) \odot h$.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → `(frame, channel)`.
    Source: CMBS (Xia and Zhao, CVPR 2022), its released code.
    """

    def __init__(self, channels: int, cue_channels: int, *, beta: float = 0.4):
        """Builds the block; the defaults are the published numbers of full supervision.

        Args:
            channels: Width of the stream; even.
            cue_channels: Width of the cue.
            beta: Weight of the stream's own part.
        """
        super().__init__()
        self.beta = beta
        self.attention, self.own = TokenSelfAttention(channels), SpatialGuidance(channels, channels)
        self.guided = GuidedPooling(channels, cue_channels)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame channel"]:
        """Pools the stream."""
        attended = self.attention(stream)
        own = pool_tokens(attended, self.own(attended, attended.mean(1)))
        guided = self.guided(stream, cue, seen=attended)
        return guided + self.beta * own.sigmoid() * guided

    def extra_repr(self) -> str:
        """Shows the weight of the stream's own part."""
        return f"beta={self.beta}"
