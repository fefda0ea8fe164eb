"""Window attention of Swin v1 and v2: tokens attend to the tokens of their own window, windows shift between blocks."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..derived import Derived
from ..shapes import check_width, shaped
from .attend import attend
from .position import ContinuousPosition, PositionTable

# Finite, as published: a cosine logit reaches 100, so that an infinite mask would be another model.
MASKED = -100.0


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
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.position = PositionTable(self.windows.window, heads)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """What each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        attended = attend(query, key, value, bias=self.windows.bias(self.position()), backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

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
        self.query, self.value, self.out = (nn.Linear(width, width) for _ in range(3))
        self.key = nn.Linear(width, width, bias=False)
        self.log_scale = nn.Parameter(torch.full((heads, 1), math.log(10)))
        self.position = ContinuousPosition(self.windows.window, heads)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """What each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        scale = self.log_scale.clamp(max=math.log(100)).exp().repeat(self.windows.count, 1)
        query, key = F.normalize(query, dim=-1) * scale, F.normalize(key, dim=-1)
        bias = self.windows.bias(self.position())
        attended = attend(query, key, value, bias=bias, scale=1.0, backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

    def extra_repr(self) -> str:
        return f"width={self.width}, heads={self.heads}, {self.windows}, backend={self.backend!r}"


class Windows:
    """How the tokens of a grid go into cyclically shifted windows and come back.

    The windows of a frame ride beside its heads (`attend` sees window·head heads), so that one bias serves all frames
    without being repeated for each.
    """

    def __init__(self, block: str, grid: tuple[int, int], window: int, shift: int):
        rows, columns = grid
        self.block, self.grid = block, grid
        self.window = (min(window, rows), min(window, columns))
        self.shift = tuple(0 if window >= size else shift for size in grid)
        for axis, size, side in zip(("rows", "columns"), grid, self.window, strict=True):
            if side < 1 or size % side:
                fits = [n for n in range(2, size + 1) if size % n == 0]
                raise ValueError(f"{block}: window={window} must tile {axis}={size} of the grid; it can be {fits}.")
        if not 0 <= shift < window:
            raise ValueError(f"{block}: shift={shift} must lie in 0…{window - 1} for window={window}.")
        self.count = (rows // self.window[0]) * (columns // self.window[1])
        self.mask = Derived(shift_mask, grid, self.window, self.shift)

    def __repr__(self) -> str:
        return f"grid={self.grid}, window={self.window}, shift={self.shift}"

    def split(self, stream: Tensor) -> Tensor:
        """Stream `(frame, token, channel)` → `(frame, cell, window, channel)`."""
        rows, columns = self.grid
        if stream.shape[1] != rows * columns:
            raise ValueError(
                f"{self.block}: stream has {stream.shape[1]} tokens, but this block was built for a grid of {rows} × "
                f"{columns} = {rows * columns}: build it for the grid of this stream."
            )
        grid = rearrange(stream, "frame (row column) channel -> frame row column channel", row=rows)
        if any(self.shift):
            grid = grid.roll((-self.shift[0], -self.shift[1]), dims=(1, 2))
        down, right = self.window
        pattern = "frame (down row) (right column) channel -> frame (row column) (down right) channel"
        return rearrange(grid, pattern, row=down, column=right)

    def join(self, cells: Tensor) -> Tensor:
        """The way back: `(frame, cell, window, channel)` → stream `(frame, token, channel)`."""
        pattern = "frame (row column) (down right) channel -> frame (down row) (right column) channel"
        grid = rearrange(cells, pattern, row=self.window[0], down=self.grid[0] // self.window[0])
        if any(self.shift):
            grid = grid.roll(self.shift, dims=(1, 2))
        return rearrange(grid, "frame row column channel -> frame (row column) channel")

    def bias(self, position: Tensor) -> Tensor:
        """Position bias `(head, query, key)` → bias of all windows, masked, `(1, window·head, query, key)`."""
        masked = position + self.mask.on(position.device).to(position.dtype)
        return rearrange(masked, "window head query key -> 1 (window head) query key")


def shift_mask(
    grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], *, device: torch.device
) -> Tensor:
    """What is added to the logits of a shifted window: `MASKED` between tokens that are no neighbours in the picture.

    Shape `(window, 1, cell, cell)`; `(window, 1, 1, 1)` zeros where nothing is shifted.
    """
    down, right = (size // side for size, side in zip(grid, window, strict=True))
    if not any(shift):
        return torch.zeros(down * right, 1, 1, 1, device=device)
    # A cyclic shift wraps the first `shift` rows behind the last: they form a region of their own in the last window.
    rows, columns = (
        (torch.arange(size, device=device) >= size - step).long() for size, step in zip(grid, shift, strict=True)
    )
    pattern = "(down row) (right column) -> (down right) (row column)"
    region = rearrange(rows[:, None] * 2 + columns, pattern, row=window[0], column=window[1])
    return (region[:, None, :, None] != region[:, None, None, :]) * MASKED


def _to_heads(cells: Tensor, heads: int) -> Tensor:
    return rearrange(cells, "frame cell window (head width) -> frame cell (window head) width", head=heads)


def _from_heads(attended: Tensor, heads: int) -> Tensor:
    return rearrange(attended, "frame cell (window head) width -> frame cell window (head width)", head=heads)


def _check_heads(block: object, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ValueError(f"{type(block).__name__}: heads={heads} must divide width={width}.")
