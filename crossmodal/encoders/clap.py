"""CLAP: HTS-AT and a RoBERTa in one feature space, at any size.

Source: Wu et al., *Large-scale Contrastive Language-Audio Pretraining*, ICASSP 2023.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..injection import Encoder
from ..shapes import check_width, shaped
from .self_attention import PostNormBlock
from .towers import Between, DualEncoder, MeanToken, Tower, unchanged


class RobertaText(nn.Module):
    """CLAP's text tower: a RoBERTa whose first token is pooled and projected.

    A `TextEncoder`. Shapes: tokens `(text, position)` → `(text, feature)`, not normalised.
    Source: Liu et al., *RoBERTa*, 2019.
    """

    def __init__(
        self,
        features: int = 512,
        *,
        vocabulary: int = 50_265,
        context: int = 512,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        hidden: int = 3072,
        padding: int = 1,
        eps: float = 1e-5,
    ):
        """Builds the tower; the defaults are those of CLAP, whose text tower is RoBERTa-base.

        Args:
            features: Width of the features.
            vocabulary: Number of token ids.
            context: Most positions of a text; the table has `padding + 1` rows more.
            width: Channels of the stream.
            depth: Blocks.
            heads: Attention heads.
            hidden: Hidden units of the MLPs.
            padding: Token id of padding, which is hidden from all tokens; positions are counted from the id after it.
            eps: Added to the variance in the norms; transformers' configurations of CLAP say 1e-12.
        """
        super().__init__()
        self.features, self.context, self.width, self.padding = features, context, width, padding
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=padding)
        self.positions = nn.Embedding(context + padding + 1, width, padding_idx=padding)
        self.kind = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, eps)
        self.blocks = nn.ModuleList(PostNormBlock(width, heads, hidden=hidden, eps=eps) for _ in range(depth))
        self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.projection = clap_projection(width, features)

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
        stream = self.norm(embedded + self.kind + self.positions(self.places(tokens)))
        bias = hide_padding(stream, tokens != self.padding)
        for index, block in enumerate(self.blocks):
            stream = block(between(index, stream), bias)
        return self.projection(self.pooler(stream[:, 0]))

    def places(self, tokens: Int64[Tensor, "text position"]) -> Int64[Tensor, "text position"]:
        """Returns the rows of the position table: counted over the tokens that are no padding, from `padding + 1`.

        Raises:
            ValueError: If a text has more positions than the tower.
        """
        if tokens.shape[1] > self.context:
            raise ValueError(
                f"RobertaText: tokens have {tokens.shape[1]} positions, but this tower has context={self.context}: "
                "shorten the text."
            )
        real = (tokens != self.padding).long()
        return real.cumsum(1) * real + self.padding


def hide_padding(stream: Tensor, real: Tensor) -> Float[Tensor, "text 1 position position"]:
    """Returns the bias that hides padding from every position."""
    bias = torch.zeros(real.shape, dtype=stream.dtype, device=stream.device).masked_fill(~real, -torch.inf)
    return bias[:, None, None].expand(-1, -1, real.shape[1], -1)


def clap_projection(width: int, features: int) -> nn.Module:
    """Builds the projection of CLAP's towers: two linear layers with ReLU between them."""
    return nn.Sequential(nn.Linear(width, features), nn.ReLU(), nn.Linear(features, features))


def clap_model(audio: Encoder, text: RobertaText) -> DualEncoder:
    """Builds a CLAP from its two towers: the mean of HTS-AT's tokens is projected to the features of the text tower."""
    width = audio.sites[-1].width
    return DualEncoder(Tower(audio, MeanToken(), clap_projection(width, text.features), text.features), text)
