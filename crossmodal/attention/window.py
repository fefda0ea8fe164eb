"""Window attention of Swin v1 and v2: a token attends to the tokens of its own window of the grid."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..kept import Kept
from ..linear import Linear
from ..shapes import check_width, shaped
from .attend import attend
from .length import of_length
from .position import ContinuousPosition, PositionTable
from .tiling import Windows


class WindowAttention(nn.Module):
    r"""Scaled dot-product attention inside windows, with a learned table of relative positions (Swin v1).

    $$\operatorname{softmax}(q k^\top / \sqrt{d} + B)\,v$$

    - `width`: channels of the stream; `heads` must divide it.
    - `heads`: attention heads.
    - `grid`: rows and columns of the stream's tokens, row-major.
    - `window`: side of a window in tokens, clipped to the grid; the clipped one must tile it.
    - `shift`: tokens by which windows are shifted cyclically; 0 on an axis where one window covers the grid.
    - `backend`: of `attend`.

    Shapes: stream `(frame, token, channel)` → the same. Source: Liu et al., *Swin Transformer*, ICCV 2021.
    """

    def __init__(
        self, width: int, heads: int, grid: tuple[int, int], *, window: int = 7, shift: int = 0, backend: str = "sdpa"
    ):
        super().__init__()
        _check_heads(self, width, heads)
        self.width, self.heads, self.backend = width, heads, backend
        self.windows = Windows(type(self).__name__, grid, window, shift)
        self.query, self.key, self.value, self.out = (Linear(width, width) for _ in range(4))
        self.position, self.kept = PositionTable(self.windows.window, heads), Kept()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """What each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        attended = attend(query, key, value, bias=self.bias(), backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

    def bias(self) -> Float[Tensor, "1 rider_head query key"]:
        """What is added to the logits of all windows: computed once while the positions are frozen, and kept."""
        return self.kept.of(self.position, lambda: self.windows.bias(self.position()))

    def extra_repr(self) -> str:
        return f"width={self.width}, heads={self.heads}, {self.windows}, backend={self.backend!r}"


class CosineWindowAttention(nn.Module):
    r"""Cosine attention inside windows, with a continuous position bias (Swin v2).

    $$\operatorname{softmax}(\tau \cos(q, k) + B)\,v, \qquad \tau = \exp(\min(s, \log 100))$$

    with one learned $s$ per head, initialised at log 10. The key has no bias.

    - `width`: channels of the stream; `heads` must divide it.
    - `heads`: attention heads.
    - `grid`: rows and columns of the stream's tokens, row-major.
    - `window`: side of a window in tokens, clipped to the grid; the clipped one must tile it.
    - `shift`: tokens by which windows are shifted cyclically; 0 on an axis where one window covers the grid.
    - `backend`: of `attend`.

    Shapes: stream `(frame, token, channel)` → the same. Source: Liu et al., *Swin Transformer V2*, CVPR 2022.
    """

    def __init__(
        self, width: int, heads: int, grid: tuple[int, int], *, window: int = 7, shift: int = 0, backend: str = "sdpa"
    ):
        super().__init__()
        _check_heads(self, width, heads)
        self.width, self.heads, self.backend = width, heads, backend
        self.windows = Windows(type(self).__name__, grid, window, shift)
        self.query, self.value, self.out = (Linear(width, width) for _ in range(3))
        self.key = Linear(width, width, bias=False)
        self.log_scale = nn.Parameter(torch.full((heads, 1), math.log(10)))
        self.position, self.kept = ContinuousPosition(self.windows.window, heads), Kept()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """What each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        scale = self.log_scale.clamp(max=math.log(100)).exp().repeat(self.windows.riders, 1)
        query, key = of_length(query, scale), of_length(key, torch.ones_like(scale))
        attended = attend(query, key, value, bias=self.bias(), scale=1.0, backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

    def bias(self) -> Float[Tensor, "1 rider_head query key"]:
        """What is added to the logits of all windows: computed once while the positions are frozen, and kept."""
        return self.kept.of(self.position, lambda: self.windows.bias(self.position()))

    def extra_repr(self) -> str:
        return f"width={self.width}, heads={self.heads}, {self.windows}, backend={self.backend!r}"


def _to_heads(cells: Tensor, heads: int) -> Tensor:
    return rearrange(cells, "batch cell rider (head width) -> batch cell (rider head) width", head=heads)


def _from_heads(attended: Tensor, heads: int) -> Tensor:
    return rearrange(attended, "batch cell (rider head) width -> batch cell rider (head width)", head=heads)


def _check_heads(block: object, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ValueError(f"{type(block).__name__}: heads={heads} must divide width={width}.")
