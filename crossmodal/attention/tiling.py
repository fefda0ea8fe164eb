"""Windows of a token grid: partitions tokens into cyclically shifted windows, reverses it, and masks the wrap."""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from ..lazy_constant import LazyConstant

# Finite, as published: a cosine logit reaches 100, so that an infinite mask would be another model.
MASKED = -100.0


class Windows:
    """Partitions one token grid into windows.

    One bias serves every frame and, where nothing is shifted, every window, without a copy for each: windows of a
    shifted grid are placed on the head axis (`attend` sees window·head heads and a bias for each), all others on the
    batch axis. `windows_as_heads` is the number of windows on the head axis, 1 where they are on the batch axis.
    """

    def __init__(self, block: str, grid: tuple[int, int], window: int, shift: int):
        """Lays out the windows.

        Args:
            block: Named by errors.
            grid: Rows and columns of the stream's tokens, row-major.
            window: Side of a window in tokens, clipped to the grid on each axis; the clipped one must tile it.
            shift: Tokens by which windows are shifted cyclically; 0 on an axis that one window covers.

        Raises:
            ValueError: If `window` does not tile the grid or `shift` is not less than `window`.
        """
        if window < 1:
            raise ValueError(f"{block}: window={window} must be at least 1.")
        if not 0 <= shift < window:
            raise ValueError(f"{block}: shift={shift} must lie in 0…{window - 1} for window={window}.")
        for axis, size in zip(("rows", "columns"), grid, strict=True):
            if size < 1 or size % min(window, size):
                fits = [side for side in range(1, size + 1) if size % side == 0]
                raise ValueError(f"{block}: window={window} must tile {axis}={size} of the grid; possible are {fits}.")
        rows, columns = grid
        self.block, self.grid = block, grid
        self.window = (min(window, rows), min(window, columns))
        # a window that spans the axis sees all of it: a shift would only mask neighbours
        self.shift = (shift if rows > window else 0, shift if columns > window else 0)
        self.tiles = (rows // self.window[0], columns // self.window[1])
        self.windows_as_heads = self.count if any(self.shift) else 1
        self.mask = LazyConstant(shift_mask, grid, self.window, self.shift)
        self.order = LazyConstant(window_order, grid, self.window, self.shift)
        self.inverse = LazyConstant(token_order, grid, self.window, self.shift)

    def __repr__(self) -> str:
        return f"grid={self.grid}, window={self.window}, shift={self.shift}"

    @property
    def count(self) -> int:
        """Number of windows of one frame."""
        return self.tiles[0] * self.tiles[1]

    def split(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "batch cell window channel"]:
        """Moves every token into its window; `cell` is its place there, row-major."""
        rows, columns = self.grid
        if stream.shape[1] != rows * columns:
            raise ValueError(
                f"{self.block}: stream has {stream.shape[1]} tokens, but this block was built for a grid of {rows} × "
                f"{columns} = {rows * columns}: build it for the grid of this stream."
            )
        cells = _reordered(stream, self.order, self.inverse) if self.count > 1 else stream
        return cells.reshape(-1, self.window[0] * self.window[1], self.windows_as_heads, stream.shape[-1])

    def join(self, cells: Float[Tensor, "batch cell window channel"]) -> Float[Tensor, "frame token channel"]:
        """Reverses `split`."""
        stream = cells.reshape(-1, self.grid[0] * self.grid[1], cells.shape[-1])
        return _reordered(stream, self.inverse, self.order) if self.count > 1 else stream

    def bias(self, position: Float[Tensor, "head query key"]) -> Float[Tensor, "1 window_head query key"]:
        """Computes the bias of `attend`: that of each head, for each window on the head axis, masked where it wraps."""
        masked = position + self.mask.on(position.device).to(position.dtype)
        return masked.flatten(0, 1)[None]


def window_order(
    grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], *, device: torch.device
) -> Int[Tensor, " token"]:
    """Computes for every place the token that goes there: window by window, or cell by cell if nothing is shifted."""
    rows, columns = grid
    tokens = torch.arange(rows * columns, device=device).view(rows, columns)
    shifted = tokens.roll((-shift[0], -shift[1]), dims=(0, 1))
    places = "(row column down right)" if any(shift) else "(down right row column)"
    pattern = f"(down row) (right column) -> {places}"
    return rearrange(shifted, pattern, row=window[0], column=window[1])


def token_order(
    grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], *, device: torch.device
) -> Int[Tensor, " token"]:
    """Computes for every token the place it goes to: the inverse of `window_order`."""
    return window_order(grid, window, shift, device=device).argsort()


def shift_mask(
    grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], *, device: torch.device
) -> Float[Tensor, "window 1 query key"]:
    """Computes the mask: `MASKED` between tokens of a shifted window that are no neighbours in the picture, else 0.

    Where nothing is shifted it is a single zero.
    """
    down, right = (size // side for size, side in zip(grid, window, strict=True))
    if not any(shift):
        return torch.zeros(1, 1, 1, 1, device=device)
    # The shift wraps the first rows and columns behind the last: in the last windows both kinds meet.
    wrapped = (torch.arange(size, device=device) >= size - step for size, step in zip(grid, shift, strict=True))
    rows, columns = (axis.long() for axis in wrapped)
    pattern = "(down row) (right column) -> (down right) (row column)"
    # four regions: wrapped or not, on either axis
    region = rearrange(rows[:, None] * 2 + columns, pattern, down=down, right=right)
    return (region[:, None, :, None] != region[:, None, None, :]) * MASKED


def _reordered(stream: Tensor, order: LazyConstant, inverse: LazyConstant) -> Tensor:
    reordered: Tensor = _Reordered.apply(stream, order.on(stream.device), inverse.on(stream.device))
    return reordered


class _Reordered(torch.autograd.Function):
    """Reorders the tokens of a stream: one copy forwards, and one backwards instead of a sum into zeros."""

    generate_vmap_rule = True

    @staticmethod
    def forward(stream: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        return stream.index_select(1, order)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        order, inverse = ctx.saved_tensors
        return _Reordered.apply(gradient, inverse, order), None, None
