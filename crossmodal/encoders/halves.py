"""Halves of a transformer block, each one section: body, norm, stochastic depth and residual sum."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from ..shapes import check_width, shaped


class PreNorm(nn.Module):
    """Half-block of Swin v1, `stream + drop(body(norm(stream)))`.

    Shapes: `(frame, token, channel)` → the same.
    """

    def __init__(
        self,
        body: nn.Module,
        width: int,
        *,
        drop_path: float = 0.0,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
    ):
        """Builds the half-block.

        Args:
            body: Stream → stream of the same shape.
            width: Channels of the stream.
            drop_path: Probability that a frame skips the body in training.
            norm: Builds the norm from the width.
        """
        super().__init__()
        self.width = width
        self.norm = norm(width)
        self.body = body
        self.drop = StochasticDepth(drop_path, "row")

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream after this half."""
        check_width(self, "stream", stream, self.width)
        return stream + self.drop(self.body(self.norm(stream)))


class PostNorm(nn.Module):
    """Half-block of Swin v2 (“res-post-norm”), `stream + drop(norm(body(stream)))`.

    Scale and bias of the norm start at zero, as published: an untrained half is the identity.

    Shapes: `(frame, token, channel)` → the same.
    """

    def __init__(self, body: nn.Module, width: int, *, drop_path: float = 0.0):
        """Builds the half-block.

        Args:
            body: Stream → stream of the same shape.
            width: Channels of the stream.
            drop_path: Probability that a frame skips the body in training.
        """
        super().__init__()
        self.width = width
        self.body = body
        self.norm = nn.LayerNorm(width)
        self.drop = StochasticDepth(drop_path, "row")  # "row": frame by frame, not for a whole batch
        nn.init.zeros_(self.norm.weight)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream after this half."""
        check_width(self, "stream", stream, self.width)
        return stream + self.drop(self.norm(self.body(stream)))
