"""CLIP's image and text towers, at any size.

Source: Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..injection import Encoder
from ..shapes import check_width, shaped
from ..site import Site, grid_axes
from .feed_forward import FeedForward
from .halves import PreNorm
from .self_attention import Activation, PreNormBlock, QuickGELU, TokenAttention, causal_bias
from .towers import Between, ClassToken, DualEncoder, Tower, unchanged

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class ClipSize(NamedTuple):
    """Sizes of a published CLIP: of its images, of both towers, and of the features."""

    size: int
    patch: int
    width: int
    depth: int
    heads: int
    features: int
    text_width: int
    text_heads: int


CLIP_SIZES = {
    "clip_vit_b_32": ClipSize(224, 32, 768, 12, 12, 512, 512, 8),
    "clip_vit_b_16": ClipSize(224, 16, 768, 12, 12, 512, 512, 8),
    "clip_vit_l_14": ClipSize(224, 14, 1024, 24, 16, 768, 768, 12),
}


class ClipStem(nn.Module):
    """Computes the first stream of CLIP's image tower: patches, class token, positions, norm.

    Shapes: picture `(frame, 3, size, size)` → stream `(frame, 1 + patches, channel)`, class token first.
    """

    def __init__(self, size: int, patch: int, width: int):
        """Builds the stem.

        Args:
            size: Height and width of a frame in pixels.
            patch: Side of a patch; must divide `size`.
            width: Channels of the stream.

        Raises:
            ValueError: If `patch` does not divide `size`.
        """
        super().__init__()
        if patch < 1 or size < 1 or size % patch:
            raise ValueError(f"ClipStem: patch={patch} must divide size={size}.")
        self.size, self.side = size, size // patch
        self.patches = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_token = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn(1 + self.side**2, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)

    def forward(self, picture: Tensor) -> Tensor:
        """Computes the stream."""
        return self.norm(self.embed(picture))

    @shaped
    def embed(self, picture: Float[Tensor, "frame plane height width"]) -> Float[Tensor, "frame token channel"]:
        """Computes tokens and positions before the norm: further tokens, such as visual prompts, are appended here."""
        expected = (3, self.size, self.size)
        if picture.shape[1:] != expected:
            raise ValueError(
                f"ClipStem: picture is {tuple(picture.shape[1:])}, but this encoder was built for {expected} "
                "(channels, height, width): build it for that size, or resize the picture."
            )
        patches = self.patches(picture).flatten(2).mT
        first = self.class_token.expand(len(patches), 1, -1)
        return torch.cat([first, patches], dim=1) + self.positions


def clip_image(
    size: int = 224,
    *,
    patch: int = 32,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    mlp_ratio: float = 4.0,
    activation: Activation = QuickGELU,
    attention: Callable[[int, int], nn.Module] = TokenAttention,
) -> Encoder:
    """Builds the vision transformer of CLIP as sections; the defaults are those of ViT-B/32.

    The stream has a class token in front, `prefix=1` at its sites. The head normalises all tokens; a `Tower` reads the
    class token and projects it.

    Args:
        size: Height and width of a frame in pixels.
        patch: Side of a patch.
        width: Channels of the stream.
        depth: Blocks.
        heads: Attention heads.
        mlp_ratio: Hidden units of the MLP halves per channel.
        activation: Builds what lies between the two layers of an MLP; LAION's CLIP has `nn.GELU`.
        attention: Factory `(width, heads)` of a module on a stream.

    Returns:
        Frames `(frame, 3, size, size)` → stream `(frame, 1 + patches, width)`.

    Raises:
        ValueError: If the sizes do not fit each other.
    """
    if depth < 1:
        raise ValueError(f"clip_image: depth={depth} must be at least 1.")
    stem = ClipStem(size, patch, width)
    axes, sections = grid_axes(stem.side, stem.side), dict[str, nn.Module]()
    sites = [Site("stem", width, axes, part="stem", prefix=1)]
    for block in range(depth):
        names = f"stages.0.{block}.attention", f"stages.0.{block}.mlp"
        sections[names[0]] = PreNorm(attention(width, heads), width)
        sections[names[1]] = PreNorm(FeedForward(width, mlp_ratio, activation=activation), width)
        sites.append(Site(names[0], width, axes, 0, block, "attention", prefix=1))
        sites.append(Site(names[1], width, axes, 0, block, "mlp", prefix=1))
    return Encoder(stem, sections, nn.LayerNorm(width), sites)


class ClipText(nn.Module):
    """CLIP's text tower: a causal transformer whose feature is read at the end of the text, the largest token id.

    A `TextEncoder`. Shapes: tokens `(text, position)` → `(text, feature)`, not normalised.
    """

    def __init__(
        self,
        features: int = 512,
        *,
        vocabulary: int = 49_408,
        context: int = 77,
        width: int = 512,
        depth: int = 12,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        activation: Activation = QuickGELU,
    ):
        """Builds the tower; the defaults are those of ViT-B/32.

        Args:
            features: Width of the features.
            vocabulary: Number of token ids; the end of a text has the largest of those that occur in it.
            context: Most positions of a text.
            width: Channels of the stream.
            depth: Blocks.
            heads: Attention heads.
            mlp_ratio: Hidden units of the MLPs per channel.
            activation: Builds what lies between the two layers of an MLP.
        """
        super().__init__()
        self.features, self.context, self.width = features, context, width
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(context, width) * 0.01)
        self.blocks = nn.ModuleList(
            PreNormBlock(width, heads, ratio=mlp_ratio, activation=activation) for _ in range(depth)
        )
        self.norm, self.projection = nn.LayerNorm(width), nn.Linear(width, features, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Computes the features of texts."""
        return self.encode(self.embed(tokens), tokens)

    @shaped
    def embed(self, tokens: Int64[Tensor, "text position"]) -> Float[Tensor, "text position channel"]:
        """Looks up the embeddings of tokens, before positions are added."""
        return self.tokens(tokens)

    @shaped
    def encode(
        self,
        embedded: Float[Tensor, "text position channel"],
        tokens: Int64[Tensor, "text position"],
        *,
        between: Between = unchanged,
    ) -> Float[Tensor, "text feature"]:
        """Computes the features of embedded texts; see `TextEncoder.encode`."""
        check_width(self, "embedded", embedded, self.width)
        check_context(self, embedded)
        stream = embedded + self.positions[: embedded.shape[1]]
        bias = causal_bias(stream)
        for index, block in enumerate(self.blocks):
            stream = block(between(index, stream), bias)
        # later positions are hidden from the end of a text, so the padding behind it does not matter
        ends = stream[torch.arange(stream.shape[0], device=stream.device), tokens.argmax(-1)]
        return self.projection(self.norm(ends))


def check_context(block: ClipText, embedded: Tensor) -> None:
    """Refuses texts with more positions than a text tower has."""
    if embedded.shape[1] > block.context:
        raise ValueError(
            f"{type(block).__name__}: embedded has {embedded.shape[1]} positions, but this tower has "
            f"context={block.context}: shorten the text."
        )


def clip_model(image: Encoder, text: ClipText) -> DualEncoder:
    """Builds a CLIP from its two towers: the class token is projected to the features of the text tower."""
    projection = nn.Linear(image.sites[-1].width, text.features, bias=False)
    return DualEncoder(Tower(image, ClassToken(), projection, text.features), text)


def clip_of_size(size: ClipSize, *, activation: Activation = QuickGELU) -> DualEncoder:
    """Builds a CLIP of a published size; of LAION's the activation is `nn.GELU`."""
    text = ClipText(size.features, width=size.text_width, heads=size.text_heads, activation=activation)
    return clip_model(clip_image_of_size(size, activation=activation), text)


def clip_image_of_size(size: ClipSize, *, activation: Activation = QuickGELU) -> Encoder:
    """Builds the image tower of a CLIP of a published size; of LAION's the activation is `nn.GELU`."""
    return clip_image(
        size.size, patch=size.patch, width=size.width, depth=size.depth, heads=size.heads, activation=activation
    )
