"""Transformer over words, sounds and frames: layers of each, then layers in which they attend in a ring."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..shapes import shaped

EPS = 1e-12
"""Of all layer norms, as in BERT."""


class AveragedProjections(nn.Module):
    """Projects the parts of a token, each with a norm of its own, and averages them.

    Shapes: parts `(clip, token, …)` → `(clip, token, width)`.
    """

    def __init__(self, parts: Sequence[int], width: int):
        """Builds the projections.

        Args:
            parts: Channels of every part: features, and coordinates where there are any.
            width: Channels of a token.
        """
        super().__init__()
        self.parts = nn.ModuleList(nn.Sequential(nn.Linear(part, width), nn.LayerNorm(width, EPS)) for part in parts)

    def forward(self, *given: Tensor) -> Tensor:
        """Computes the tokens."""
        return torch.stack([project(part) for project, part in zip(self.parts, given, strict=True)]).mean(0)


class WordEmbedding(nn.Module):
    """Embeds words with their places, as BERT does: `(clip, word)` → `(clip, word, width)`. Id 0 never learns."""

    def __init__(self, words: int, width: int, *, places: int = 14, dropout: float = 0.1):
        """Builds the tables.

        Args:
            words: Size of the vocabulary.
            width: Channels.
            places: Most words of a question.
            dropout: Dropout rate.
        """
        super().__init__()
        self.words, self.places = nn.Embedding(words, width, padding_idx=0), nn.Embedding(places, width)
        self.norm, self.dropout = nn.LayerNorm(width, EPS), nn.Dropout(dropout)

    @shaped
    def forward(self, question: Int[Tensor, "clip word"]) -> Float[Tensor, "clip word width"]:
        """Embeds questions."""
        embedded: Tensor = self.dropout(self.norm(self.words(question) + self.places.weight[: question.shape[1]]))
        return embedded


class PostNormAttention(nn.Module):
    """Attends to a context, adds, and normalises: `(clip, token, width)` twice → the shape of the first."""

    def __init__(self, width: int, heads: int, dropout: float = 0.1):
        """Builds the attention.

        Args:
            width: Channels.
            heads: Attention heads.
            dropout: Dropout rate, also of attention weights.
        """
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width, EPS)

    def forward(self, stream: Tensor, context: Tensor) -> Tensor:
        """Computes the stream with what it found in the context."""
        found: Tensor = self.attention(stream, context, context, need_weights=False)[0]
        return self.norm(stream + self.dropout(found))


class SelfLayer(nn.Module):
    """Layer of one stream: attention to itself and a feed-forward part, each with its norm behind."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.1):
        """Builds the layer.

        Args:
            width: Channels.
            heads: Attention heads.
            hidden: Units of the feed-forward part.
            dropout: Dropout rate.
        """
        super().__init__()
        self.attention = PostNormAttention(width, heads, dropout)
        self.feedforward = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.norm = nn.LayerNorm(width, EPS)

    def forward(self, stream: Tensor) -> Tensor:
        """Computes the layer."""
        attended = self.attention(stream, stream)
        return self.norm(attended + self.feedforward(attended))


class ThreeStreams(NamedTuple):
    """Tokens of three modalities."""

    words: Float[Tensor, "clip word width"]
    sounds: Float[Tensor, "clip sound width"]
    frames: Float[Tensor, "clip frame width"]


class RingLayer(nn.Module):
    """Layer in which words attend to sounds, sounds to frames and frames to words, all as they were before it.

    A `SelfLayer` of each follows. Source: LAViT, of Yun et al., *Pano-AVQA*, ICCV 2021.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.1):
        """Builds the layer; the arguments are those of `SelfLayer`."""
        super().__init__()
        self.across = nn.ModuleList(PostNormAttention(width, heads, dropout) for _ in ThreeStreams._fields)
        self.inside = nn.ModuleList(SelfLayer(width, heads, hidden, dropout) for _ in ThreeStreams._fields)

    def forward(self, streams: ThreeStreams) -> ThreeStreams:
        """Computes the layer."""
        contexts = (streams.sounds, streams.frames, streams.words)
        met = [attend(*both) for attend, both in zip(self.across, zip(streams, contexts, strict=True), strict=True)]
        return ThreeStreams(*(layer(stream) for layer, stream in zip(self.inside, met, strict=True)))


class TriModalTransformer(nn.Module):
    r"""Transforms words, sounds and frames, and pools each by its first token: $\tanh(W x_0)$.

    Source: LAViT, of Yun et al., *Pano-AVQA: Grounded Audio-Visual Question Answering on 360° Videos*, ICCV 2021.
    """

    def __init__(
        self,
        width: int = 768,
        *,
        heads: int = 12,
        hidden: int = 3072,
        layers: tuple[int, int, int] = (9, 5, 5),
        across: int = 5,
        dropout: float = 0.1,
    ):
        """Builds the layers; the defaults are the published numbers.

        Args:
            width: Channels.
            heads: Attention heads.
            hidden: Units of the feed-forward parts.
            layers: Layers of words, sounds and frames alone.
            across: Layers in a ring.
            dropout: Dropout rate.
        """
        super().__init__()
        self.alone = nn.ModuleList(
            nn.ModuleList(SelfLayer(width, heads, hidden, dropout) for _ in range(depth)) for depth in layers
        )
        self.ring = nn.ModuleList(RingLayer(width, heads, hidden, dropout) for _ in range(across))
        self.pools = nn.ModuleList(nn.Linear(width, width) for _ in layers)

    def forward(self, streams: ThreeStreams) -> ThreeStreams:
        """Computes the tokens of all three behind the last layer."""
        read = []
        for stream, layers in zip(streams, self.alone, strict=True):
            for layer in layers:  # type: ignore[attr-defined]  # a ModuleList of a ModuleList
                stream = layer(stream)
            read.append(stream)
        found = ThreeStreams(*read)
        for ring in self.ring:
            found = ring(found)
        return found

    def pooled(self, streams: ThreeStreams) -> list[Tensor]:
        """Returns a vector per modality, `(clip, width)`."""
        return [pool(stream[:, 0]).tanh() for pool, stream in zip(self.pools, streams, strict=True)]


class WideReadout(nn.Sequential):
    """Reads the answer off pooled vectors: linear to twice the width, GELU, norm, linear."""

    def __init__(self, width: int, answers: int):
        """Builds the layers.

        Args:
            width: Channels of all pooled vectors together.
            answers: Number of answers.
        """
        super().__init__(
            nn.Linear(width, 2 * width), nn.GELU(), nn.LayerNorm(2 * width, EPS), nn.Linear(2 * width, answers)
        )
