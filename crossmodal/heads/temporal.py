"""Temporal attention after the encoders: the modalities gate and attend to each other over the segments of a clip."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .recurrent import BidirectionalLSTM


class Attended(NamedTuple):
    """Both modalities after temporal attention, and the product of their gates, in [0, 1]."""

    visual: Float[Tensor, "clip segment width"]
    audio: Float[Tensor, "clip segment width"]
    gate: Float[Tensor, "clip segment 1"]


class SequenceEncoder(nn.Module):
    """Projects a sequence and encodes it by post-norm self-attention layers over the segments of a clip."""

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.1,
        feedforward: int | None = None,
    ):
        """Builds the layers; the defaults are the published numbers.

        Args:
            channels: Channels of the input.
            width: Channels of the layers.
            heads: Attention heads.
            layers: Number of layers.
            dropout: Dropout rate of the layers.
            feedforward: Hidden units of the feed-forward part; four times the width by default.
        """
        super().__init__()
        self.project = nn.Linear(channels, width)
        hidden = feedforward or 4 * width
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, hidden, dropout, batch_first=True) for _ in range(layers)
        )

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment channel"]) -> Float[Tensor, "clip segment width"]:
        """Encodes a sequence."""
        encoded = self.project(sequence)
        for layer in self.layers:
            encoded = layer(encoded)
        return encoded


class SequenceDecoder(nn.Module):
    """Projects a sequence and lets it attend to the concatenation of a memory and itself, in one post-norm layer."""

    def __init__(
        self, channels: int, width: int, *, heads: int = 4, dropout: float = 0.1, feedforward: int | None = None
    ):
        """Builds the layer; the defaults are the published numbers.

        Args:
            channels: Channels of the input.
            width: Channels of the layer and of its memory.
            heads: Attention heads.
            dropout: Dropout rate of the layer.
            feedforward: Hidden units of the feed-forward part; four times the width by default.
        """
        super().__init__()
        self.project = nn.Linear(channels, width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        hidden = feedforward or 4 * width
        self.feedforward = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @shaped
    def forward(
        self, sequence: Float[Tensor, "clip segment channel"], memory: Float[Tensor, "clip step width"]
    ) -> Float[Tensor, "clip segment width"]:
        """Decodes a sequence with a memory."""
        query = self.project(sequence)
        context = torch.cat([memory, query], dim=1)
        attended, _ = self.attention(query, context, context, need_weights=False)
        query = self.attention_norm(query + self.dropout(attended))
        return self.feedforward_norm(query + self.dropout(self.feedforward(query)))


class TemporalAttention(nn.Module):
    r"""Attends over the segments of a clip, across modalities, and gates each modality by the other.

    Bidirectional LSTMs read both modalities; encoders compute keys $K$, and in the decoders each modality queries the
    keys of the other. With $g_a = \sigma(w_a^\top K_a)$ and $g_v = \sigma(w_v^\top K_v)$, the results are
    $Q_v \leftarrow (1 + \gamma g_a) Q_v$ and $Q_a \leftarrow (1 + \gamma g_v) Q_a$; the product $g_a g_v$ is the gate.

    Shapes: visual `(clip, segment, visual_channel)`, audio `(clip, segment, audio_channel)` → `(clip, segment, width)`
    each. Any number of segments. Source: DG-SCT's released AVE model, after CMBS.
    """

    def __init__(
        self, visual_channels: int, audio_channels: int, width: int = 256, *, gamma: float = 0.1, dropout: float = 0.1
    ):
        """Builds the block; the defaults are the published numbers for AVE.

        Args:
            visual_channels: Width of the pooled visual stream.
            audio_channels: Width of the pooled audio stream.
            width: Width of keys and queries; the LSTMs read `2 * width` visual and `width // 2` audio channels.
            gamma: Weight of a gate.
            dropout: Dropout rate of the attention layers; the visual projection has twice this rate.

        Raises:
            ValueError: If `width` is no multiple of the 4 attention heads.
        """
        super().__init__()
        if width % 4:
            raise ValueError(f"TemporalAttention: width={width} must be a multiple of its 4 attention heads.")
        self.gamma = gamma
        self.visual_in = nn.Sequential(nn.Linear(visual_channels, 2 * width), nn.ReLU(), nn.Dropout(2 * dropout))
        self.audio_in = nn.Linear(audio_channels, width // 2)
        self.visual_rnn = BidirectionalLSTM(2 * width, width)
        self.audio_rnn = BidirectionalLSTM(width // 2, width // 2)
        self.visual_encoder = SequenceEncoder(2 * width, width, dropout=dropout)
        self.audio_encoder = SequenceEncoder(width, width, dropout=dropout)
        self.visual_decoder = SequenceDecoder(2 * width, width, dropout=dropout)
        self.audio_decoder = SequenceDecoder(width, width, dropout=dropout)
        self.visual_gate, self.audio_gate = nn.Linear(width, 1), nn.Linear(width, 1)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Attended:
        """Computes both modalities, gated by each other, and the product of the gates."""
        check_width(self, "audio", audio, self.audio_in.in_features)
        visual, audio = self.visual_rnn(self.visual_in(visual)), self.audio_rnn(self.audio_in(audio))
        visual_key, audio_key = self.visual_encoder(visual), self.audio_encoder(audio)
        visual_query, audio_query = self.visual_decoder(visual, audio_key), self.audio_decoder(audio, visual_key)
        by_audio, by_visual = self.audio_gate(audio_key).sigmoid(), self.visual_gate(visual_key).sigmoid()
        return Attended(
            visual_query + self.gamma * by_audio * visual_query,
            audio_query + self.gamma * by_visual * audio_query,
            by_audio * by_visual,
        )

    def extra_repr(self) -> str:
        """Shows the weight of a gate."""
        return f"gamma={self.gamma}"


class SegmentProjection(nn.Module):
    r"""Projects both modalities segment by segment: `TemporalAttention` left out, nothing is exchanged over time.

    The gate is $\sigma(w^\top [v_t, a_t] + b)$, of the projected vectors of a segment.

    Shapes: as `TemporalAttention`.
    """

    def __init__(self, visual_channels: int, audio_channels: int, width: int = 256):
        """Builds the block.

        Args:
            visual_channels: Width of the pooled visual stream.
            audio_channels: Width of the pooled audio stream.
            width: Width of both projections.
        """
        super().__init__()
        self.visual_in, self.audio_in = nn.Linear(visual_channels, width), nn.Linear(audio_channels, width)
        self.gate = nn.Linear(2 * width, 1)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Attended:
        """Computes both projections and their gate."""
        check_width(self, "visual", visual, self.visual_in.in_features)
        check_width(self, "audio", audio, self.audio_in.in_features)
        visual, audio = self.visual_in(visual), self.audio_in(audio)
        return Attended(visual, audio, self.gate(torch.cat([visual, audio], dim=2)).sigmoid())
