"""The two halves of a transformer block, each a section: a body, its norm, stochastic depth, and the residual sum."""

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from ..shapes import check_width, shaped


class PreNorm(nn.Module):
    """`stream + drop(body(norm(stream)))`: a half-block of Swin v1.

    - `body`: stream → stream of the same shape.
    - `width`: channels of the stream.
    - `drop_path`: probability that a frame skips the body in training.
    """

    def __init__(self, body: nn.Module, width: int, *, drop_path: float = 0.0):
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width)
        self.body = body
        self.drop = StochasticDepth(drop_path, "row")

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """The stream after this half."""
        check_width(self, "stream", stream, self.width)
        return stream + self.drop(self.body(self.norm(stream)))


class PostNorm(nn.Module):
    """`stream + drop(norm(body(stream)))`: a half-block of Swin v2 (“res-post-norm”).

    Scale and bias of the norm start at zero, as published: an untrained half is the identity.

    - `body`: stream → stream of the same shape.
    - `width`: channels of the stream.
    - `drop_path`: probability that a frame skips the body in training.
    """

    def __init__(self, body: nn.Module, width: int, *, drop_path: float = 0.0):
        super().__init__()
        self.width = width
        self.body = body
        self.norm = nn.LayerNorm(width)
        self.drop = StochasticDepth(drop_path, "row")
        nn.init.zeros_(self.norm.weight)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """The stream after this half."""
        check_width(self, "stream", stream, self.width)
        return stream + self.drop(self.norm(self.body(stream)))
