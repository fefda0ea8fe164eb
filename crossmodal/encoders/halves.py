"""The two halves of a transformer block, each a section: a body, its norm, stochastic depth, and the residual sum."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import MLP, StochasticDepth

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


class FeedForward(MLP):
    """Two linear layers with GELU between them, the hidden one of `int(width * ratio)` units.

    Without gradients GELU runs in place: the hidden layer is the largest tensor of a block, and on the CPU a fresh one
    costs as much time as what is computed in it.
    """

    def __init__(self, width: int, ratio: float):
        super().__init__(width, [int(width * ratio), width], activation_layer=nn.GELU)

    def forward(self, input: Tensor) -> Tensor:
        """As the plain layers one after another."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(input)
        widen, _, _, narrow, _ = self
        return narrow(torch.ops.aten.gelu_(widen(input)))
