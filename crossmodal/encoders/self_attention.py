"""Self-attention over all tokens of a stream, and the transformer blocks of text encoders that are built on it."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..attention import attend
from ..shapes import check_width, shaped
from .feed_forward import FeedForward

Activation = Callable[[], nn.Module]


class QuickGELU(nn.Module):
    r"""Approximates GELU as $x\,\sigma(1.702\,x)$, as OpenAI's CLIP does."""

    def forward(self, x: Tensor) -> Tensor:
        """Computes the activation."""
        return x * (1.702 * x).sigmoid()


class TokenAttention(nn.Module):
    r"""Lets all tokens of a frame, or of a text, attend to each other: $\mathrm{softmax}(qk^\top/\sqrt{d} + B)\,v$.

    Shapes: stream `(frame, token, channel)` → the same. Source: Vaswani et al., *Attention Is All You Need*, 2017.
    """

    def __init__(self, width: int, heads: int, *, backend: str = "sdpa"):
        """Builds the block.

        Args:
            width: Channels of the stream; `heads` must divide it.
            heads: Attention heads.
            backend: Of `attend`.

        Raises:
            ValueError: If `heads` does not divide `width`.
        """
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"TokenAttention: heads={heads} must divide width={width}.")
        self.width, self.heads, self.backend = width, heads, backend
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], bias: Float[Tensor, "#frame 1 token token"] | None = None
    ) -> Float[Tensor, "frame token channel"]:
        """Computes what each token gathers; minus infinity in `bias` hides a token from another."""
        check_width(self, "stream", stream, self.width)
        pattern = "frame token (head width) -> frame token head width"
        parts = (rearrange(part(stream), pattern, head=self.heads) for part in (self.query, self.key, self.value))
        attended = attend(*parts, bias=bias, backend=self.backend)
        return self.out(rearrange(attended, "frame token head width -> frame token (head width)"))

    def extra_repr(self) -> str:
        """Shows the sizes and the backend."""
        return f"width={self.width}, heads={self.heads}, backend={self.backend!r}"


class PreNormBlock(nn.Module):
    """Block of CLIP's text encoder: both halves normalise first and add to the stream.

    Shapes: `(text, position, channel)` → the same.
    """

    def __init__(self, width: int, heads: int, *, ratio: float = 4.0, activation: Activation = QuickGELU):
        """Builds the block.

        Args:
            width: Channels of the stream.
            heads: Attention heads.
            ratio: Hidden units of the MLP per channel.
            activation: Builds what lies between the two layers of the MLP.
        """
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = TokenAttention(width, heads)
        self.mlp = FeedForward(width, ratio, activation=activation)

    def forward(self, stream: Tensor, bias: Tensor) -> Tensor:
        """Computes the stream after this block."""
        stream = stream + self.attention(self.attention_norm(stream), bias)
        return stream + self.mlp(self.mlp_norm(stream))


class PostNormBlock(nn.Module):
    """Block of BERT and RoBERTa: both halves add to the stream and normalise the sum.

    Shapes: `(text, position, channel)` → the same.
    """

    def __init__(self, width: int, heads: int, *, hidden: int, eps: float):
        """Builds the block.

        Args:
            width: Channels of the stream.
            heads: Attention heads.
            hidden: Hidden units of the MLP.
            eps: Added to the variance in the norms.
        """
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attention = TokenAttention(width, heads)
        self.mlp = FeedForward(width, hidden / width)

    def forward(self, stream: Tensor, bias: Tensor) -> Tensor:
        """Computes the stream after this block."""
        stream = self.attention_norm(stream + self.attention(stream, bias))
        return self.mlp_norm(stream + self.mlp(stream))


def causal_bias(stream: Float[Tensor, "text position channel"]) -> Float[Tensor, "1 1 position position"]:
    """Returns the bias that hides from every position those behind it."""
    positions = stream.shape[1]
    hidden = torch.full((positions, positions), -torch.inf, dtype=stream.dtype, device=stream.device)
    return hidden.triu(1)[None, None]
