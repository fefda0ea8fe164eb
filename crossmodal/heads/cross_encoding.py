"""Keys and queries of two modalities: each encoded by itself, then decoded with the other's keys; their interaction."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped
from .temporal import SequenceDecoder, SequenceEncoder


class Encoded(NamedTuple):
    """Keys of both modalities, and queries that have attended to the other modality's keys."""

    visual_key: Float[Tensor, "clip segment width"]
    audio_key: Float[Tensor, "clip segment width"]
    visual_query: Float[Tensor, "clip segment width"]
    audio_query: Float[Tensor, "clip segment width"]


class CrossEncoding(nn.Module):
    """Encodes both modalities by post-norm self-attention, and decodes each with the other's keys and itself.

    Shapes: visual `(clip, segment, visual)`, audio `(clip, segment, audio)` → four sequences of `width`.
    Source: Xu et al., *Cross-Modal Relation-Aware Networks*, ACM MM 2020 (CMRAN); CMBS and DG-SCT use it, too.
    """

    def __init__(
        self,
        visual: int,
        audio: int,
        width: int = 256,
        *,
        encoder_hidden: int | None = None,
        decoder_hidden: int | None = None,
    ):
        """Builds the layers; the defaults are CMRAN's.

        Args:
            visual: Channels of the visual sequence.
            audio: Channels of the audio sequence.
            width: Channels of keys and queries; a multiple of the 4 heads.
            encoder_hidden: Hidden units of the encoders' feed-forward part; eight times the width by default.
            decoder_hidden: Hidden units of the decoders' feed-forward part; the same.
        """
        super().__init__()
        encoder_hidden, decoder_hidden = encoder_hidden or 8 * width, decoder_hidden or 8 * width
        self.visual_encoder = SequenceEncoder(visual, width, feedforward=encoder_hidden)
        self.audio_encoder = SequenceEncoder(audio, width, feedforward=encoder_hidden)
        self.visual_decoder = SequenceDecoder(visual, width, feedforward=decoder_hidden)
        self.audio_decoder = SequenceDecoder(audio, width, feedforward=decoder_hidden)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Encoded:
        """Computes keys and queries."""
        visual_key, audio_key = self.visual_encoder(visual), self.audio_encoder(audio)
        return Encoded(
            visual_key, audio_key, self.visual_decoder(visual, audio_key), self.audio_decoder(audio, visual_key)
        )


class ProductInteraction(nn.Module):
    """Lets the product of two sequences attend to both: `LN(q + MHA(q, m, m))`, `q = a · b`, `m = concat(a, b)`.

    Shapes: two sequences `(clip, segment, width)` → the same. Source: CMRAN's audio-visual interaction.
    """

    def __init__(self, width: int = 256, *, heads: int = 4, attention_dropout: float = 0.1, dropout: float = 0.1):
        """Builds the block; the defaults are CMRAN's.

        Args:
            width: Channels of both sequences.
            heads: Attention heads.
            attention_dropout: Dropout rate of the attention weights.
            dropout: Dropout rate of what is attended to.
        """
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, attention_dropout, batch_first=True)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    @shaped
    def forward(
        self, first: Float[Tensor, "clip segment width"], second: Float[Tensor, "clip segment width"]
    ) -> Float[Tensor, "clip segment width"]:
        """Computes the interaction; the order of the two does not matter."""
        query, memory = first * second, torch.cat([first, second], dim=1)
        attended, _ = self.attention(query, memory, memory, need_weights=False)
        return self.norm(query + self.dropout(attended))
