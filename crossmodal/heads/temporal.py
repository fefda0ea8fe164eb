"""Temporal attention after the encoders: each modality, read over the clip, gates and informs the other."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .recurrent import BothWays


class Attended(NamedTuple):
    """Both modalities after temporal attention, and the gate: how far both find a segment worth attending to."""

    visual: Float[Tensor, "clip segment width"]
    audio: Float[Tensor, "clip segment width"]
    gate: Float[Tensor, "clip segment 1"]


class SequenceEncoder(nn.Module):
    """A projection and post-norm self-attention layers over the segments of a clip."""

    def __init__(self, channels: int, width: int, *, heads: int = 4, layers: int = 2, dropout: float = 0.1):
        """Width of the input, then of the layers; `heads`, `layers` and `dropout` as published."""
        super().__init__()
        self.project = nn.Linear(channels, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True) for _ in range(layers)
        )

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment channel"]) -> Float[Tensor, "clip segment width"]:
        """The encoded sequence."""
        encoded = self.project(sequence)
        for layer in self.layers:
            encoded = layer(encoded)
        return encoded


class SequenceDecoder(nn.Module):
    """A projection and one post-norm layer whose queries attend to a memory and to themselves, end to end."""

    def __init__(self, channels: int, width: int, *, heads: int = 4, dropout: float = 0.1):
        """Width of the input, then of the layer and its memory; `heads` and `dropout` as published."""
        super().__init__()
        self.project = nn.Linear(channels, width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @shaped
    def forward(
        self, sequence: Float[Tensor, "clip segment channel"], memory: Float[Tensor, "clip step width"]
    ) -> Float[Tensor, "clip segment width"]:
        """The sequence, informed by `memory`."""
        query = self.project(sequence)
        context = torch.cat([memory, query], dim=1)
        attended, _ = self.attention(query, context, context, need_weights=False)
        query = self.attention_norm(query + self.dropout(attended))
        return self.feedforward_norm(query + self.dropout(self.feedforward(query)))


class TemporalAttention(nn.Module):
    r"""What of a clip is worth attending to, told by each modality to the other.

    Both are read by bidirectional LSTMs; encoders turn them into keys $K$, decoders let each query the other's keys.
    With $g_a = \sigma(w_a^\top K_a)$, $g_v = \sigma(w_v^\top K_v)$: $Q_v \leftarrow (1 + \gamma g_a) Q_v$,
    $Q_a \leftarrow (1 + \gamma g_v) Q_a$, and the product $g_a g_v$ is the gate.

    Shapes: visual `(clip, segment, visual_channel)`, audio `(clip, segment, audio_channel)` → `(clip, segment, width)`
    each. Any number of segments. Source: DG-SCT's released AVE model, after CMBS.
    """

    def __init__(
        self, visual_channels: int, audio_channels: int, width: int = 256, *, gamma: float = 0.1, dropout: float = 0.1
    ):
        """
        - `visual_channels`, `audio_channels`: widths of the pooled streams.
        - `width`: of keys and queries; the LSTMs read `2 * width` visual and `width // 2` audio channels.
        - `gamma`: weight of a gate; 0.1 in AVE.
        - `dropout`: inside the attention layers; the visual projection drops twice as much.
        """
        super().__init__()
        if width % 4:
            raise ValueError(f"TemporalAttention: width={width} must be a multiple of its 4 attention heads.")
        self.gamma = gamma
        self.visual_in = nn.Sequential(nn.Linear(visual_channels, 2 * width), nn.ReLU(), nn.Dropout(2 * dropout))
        self.audio_in = nn.Linear(audio_channels, width // 2)
        self.visual_rnn = BothWays(2 * width, width)
        self.audio_rnn = BothWays(width // 2, width // 2)
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
        """Both modalities, gated by each other, and the gate."""
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
        return f"gamma={self.gamma}"
