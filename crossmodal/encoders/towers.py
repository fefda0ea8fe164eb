"""Encoders that meet in one feature space: a tower for frames or sounds, a text encoder, and their cosine logits."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from ..injection import Encoder
from ..shapes import check_width, shaped

Between = Callable[[int, Tensor], Tensor]
"""`(index of a block, stream before it) -> stream that goes into it`: where deep prompts enter, layer by layer."""


def unchanged(index: int, stream: Tensor) -> Tensor:
    """Returns the stream as it is: no deep prompts."""
    return stream


@runtime_checkable
class Tokenizer(Protocol):
    """Turns texts into token ids, as a text encoder reads them."""

    def __call__(self, texts: Sequence[str]) -> Int64[Tensor, "text position"]:
        """Returns the ids of whole texts, with start and end, padded to a common length."""

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text without start, end and padding."""


@runtime_checkable
class TextEncoder(Protocol):
    """Computes one feature vector per text, from token ids or from embedded prompts.

    `encoder(tokens)` equals `encoder.encode(encoder.embed(tokens), tokens)`. Features are not normalised.

    Attributes:
        width: Channels of an embedded token.
        context: Most positions of a text.
        features: Width of the features.
    """

    width: int
    context: int
    features: int

    def __call__(self, tokens: Int64[Tensor, "text position"]) -> Float[Tensor, "text feature"]:
        """Computes the features of texts."""

    def embed(self, tokens: Int64[Tensor, "text position"]) -> Float[Tensor, "text position channel"]:
        """Looks up the embeddings of tokens, before positions are added."""

    def encode(
        self,
        embedded: Float[Tensor, "text position channel"],
        tokens: Int64[Tensor, "text position"],
        *,
        between: Between = unchanged,
    ) -> Float[Tensor, "text feature"]:
        """Computes the features of embedded texts.

        Args:
            embedded: Embeddings, some of which may be learned prompts.
            tokens: Ids of the texts whose layout `embedded` has: they tell where a text ends and what is padding.
            between: Called before every block with its index and the stream; what it returns goes into the block.
        """


class Tower(nn.Module):
    """Reads the stream of an encoder as one feature vector per frame: encoder, pooling of its tokens, projection.

    Features are not normalised. The sections and sites are those of `tower.encoder`: a lockstep takes the encoder, and
    `tower.read(stream)` turns its final stream into features.

    Shapes: input of the encoder → `(frame, feature)`.
    """

    def __init__(self, encoder: Encoder, pool: nn.Module, projection: nn.Module, features: int):
        """Puts the pieces together.

        Args:
            encoder: The encoder.
            pool: `(frame, token, channel)` → `(frame, channel)`: `ClassToken` or `MeanToken`, for instance.
            projection: `(frame, channel)` → `(frame, feature)`.
            features: Width of the features.
        """
        super().__init__()
        self.encoder, self.pool, self.projection, self.features = encoder, pool, projection, features

    def forward(self, x: Tensor, between: Between = unchanged) -> Tensor:
        """Computes the features of frames or sounds; `between` is as in `blocks`."""
        return self.read(self.blocks(self.encoder.stem(x), between))

    def blocks(self, stream: Float[Tensor, "frame token channel"], between: Between = unchanged) -> Tensor:
        """Runs all sections on a stream that starts behind the stem.

        Args:
            stream: The stream; it may contain more tokens than the stem makes, where the attention takes them.
            between: Called before every attention half with the running index of its block and the stream; what it
                returns goes into the block.
        """
        index = 0
        for site in self.encoder.sites[1:]:
            if site.part in ("attention", "block"):
                stream, index = between(index, stream), index + 1
            stream = self.encoder.section(site.name)(stream)
        return stream

    @shaped
    def read(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame feature"]:
        """Computes features from the stream after the last section: head of the encoder, pooling, projection."""
        check_width(self, "stream", stream, self.encoder.sites[-1].width)
        return self.projection(self.pool(self.encoder.head(stream)))


class ClassToken(nn.Module):
    """Pools a stream to its first token: `(frame, token, channel)` → `(frame, channel)`."""

    def forward(self, stream: Tensor) -> Tensor:
        """Returns the first token."""
        return stream[:, 0]


class MeanToken(nn.Module):
    """Pools a stream to the mean of its tokens: `(frame, token, channel)` → `(frame, channel)`."""

    def forward(self, stream: Tensor) -> Tensor:
        """Computes the mean."""
        return stream.mean(dim=1)


class MlpPool(nn.Module):
    """Pools a stream to the mean of what a perceptron makes of each token.

    It tells which properties occur at one token, which the mean of the tokens themselves does not.

    Shapes: `(frame, token, channel)` → `(frame, hidden)`.
    """

    def __init__(self, width: int, hidden: int):
        """Builds the perceptron.

        Args:
            width: Channels of the stream.
            hidden: Units of its two layers.
        """
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, hidden)

    def forward(self, stream: Tensor) -> Tensor:
        """Computes the mean."""
        return F.gelu(self.second(F.gelu(self.first(stream)))).mean(dim=1)


class DualEncoder(nn.Module):
    """Scores frames or sounds against texts: a tower and a text encoder with a learned scale, as CLIP and CLAP are.

    Shapes: input of the tower and tokens `(text, position)` → logits `(frame, text)`.
    """

    def __init__(self, tower: Tower, text: nn.Module):
        """Puts both together; the logarithm of the scale starts at log(1 / 0.07), as published.

        Args:
            tower: Reads frames or sounds.
            text: A `TextEncoder`.

        Raises:
            ValueError: If their features differ in width.
        """
        super().__init__()
        if tower.features != text.features:
            raise ValueError(
                f"DualEncoder: tower.features={tower.features} must equal text.features={text.features}: project both "
                "to one width."
            )
        self.tower, self.text = tower, text
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> Tensor:
        """Returns the factor of the cosines."""
        return self.log_scale.exp()

    def forward(self, x: Tensor, tokens: Int64[Tensor, "text position"]) -> Tensor:
        """Computes the logits of every frame for every text."""
        return self.scale * cosines(self.tower(x), self.text(tokens))


@shaped
def cosines(
    features: Float[Tensor, "frame feature"], texts: Float[Tensor, "text feature"]
) -> Float[Tensor, "frame text"]:
    """Computes the cosine of every feature with the feature of every text."""
    return F.normalize(features, dim=-1) @ F.normalize(texts, dim=-1).mT
