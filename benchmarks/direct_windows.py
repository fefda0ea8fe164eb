"""Encoders evaluated directly: windows written out, biases made at every call."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.attention import CosineWindowAttention, WindowAttention
from crossmodal.encoders.feed_forward import FeedForward
from crossmodal.injection import Encoder

Root = TypeVar("Root", bound=nn.Module)


def written_out(encoder: Encoder) -> Encoder:
    """`encoder`, its blocks replaced by written-out ones that share their parameters; keys stay."""
    return replaced(
        encoder,
        {
            WindowAttention: DirectWindows,
            CosineWindowAttention: DirectCosineWindows,
            FeedForward: lambda layers: nn.Sequential(*layers),
        },
    )


def replaced(root: Root, by: Mapping[type[nn.Module], Callable[[Any], nn.Module]]) -> Root:
    """`root`, in which every module of exactly such a type is replaced by what is made of it, from the outside in."""
    for name, child in list(root.named_children()):
        made = by[type(child)](child) if type(child) in by else child
        setattr(root, name, replaced(made, by))
    return root


class DirectWindows(nn.Module):
    """`WindowAttention`, by its equations."""

    def __init__(self, attention: nn.Module):
        super().__init__()
        for name, child in attention.named_children():
            self.add_module(name, child)
        self.heads, self.windows = attention.heads, attention.windows
        made = tables(self.windows.grid, self.windows.window, self.windows.shift)
        for name, table in zip(("index", "mask", "offsets"), made, strict=True):
            self.register_buffer(name, table, persistent=False)

    def forward(self, stream: Tensor) -> Tensor:
        """What each token gathers from its window."""
        rows, columns = self.windows.grid
        grid = stream.unflatten(1, (rows, columns)).roll([-step for step in self.windows.shift], (1, 2))
        cells = partitioned(grid, self.windows.window)
        query, key, value = (self.to_heads(part(cells)) for part in (self.query, self.key, self.value))
        scores = self.scores(query, key) + self.bias()
        scores = scores.unflatten(0, (len(stream), -1)) + self.mask[:, None]
        gathered = torch.softmax(scores.flatten(0, 1), dim=-1) @ value
        cells = self.out(gathered.transpose(1, 2).flatten(2))
        return joined(cells, self.windows.window, (rows, columns)).roll(self.windows.shift, (1, 2)).flatten(1, 2)

    def to_heads(self, cells: Tensor) -> Tensor:
        """`(window, cell, channel)` → `(window, head, cell, width)`."""
        return cells.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Scaled dot products."""
        return query * query.shape[-1] ** -0.5 @ key.mT

    def bias(self) -> Tensor:
        """The learned number of every relative position, `(head, cell, cell)`."""
        return self.position.table[self.index].permute(2, 0, 1)


class DirectCosineWindows(DirectWindows):
    """`CosineWindowAttention`, by its equations."""

    def __init__(self, attention: nn.Module):
        super().__init__(attention)
        self.log_scale = attention.log_scale

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Cosines times the temperature of each head."""
        cosines = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT
        return cosines * self.log_scale.clamp(max=math.log(100.0)).exp()[:, None]

    def bias(self) -> Tensor:
        """What the small network makes of every relative position, `(head, cell, cell)`."""
        by_offset = self.position.mlp(self.offsets)
        return (16 * torch.sigmoid(by_offset[self.index])).permute(2, 0, 1)


def partitioned(grid: Tensor, window: tuple[int, int]) -> Tensor:
    """`(frame, row, column, channel)` → `(frame · window, cell, channel)`, all row by row."""
    tiles = grid.unflatten(2, (-1, window[1])).unflatten(1, (-1, window[0])).transpose(2, 3)
    return tiles.flatten(3, 4).flatten(0, 2)


def joined(cells: Tensor, window: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """The way back."""
    down, right = grid[0] // window[0], grid[1] // window[1]
    tiles = cells.unflatten(1, window).unflatten(0, (-1, down, right)).transpose(2, 3)
    return tiles.flatten(3, 4).flatten(1, 2)


def tables(grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Row of the table of relative positions for every pair of cells; the mask of every window; log-spaced offsets.

    Always on the CPU, also where the model is built on the meta device.
    """
    with torch.device("cpu"):
        place = torch.cartesian_prod(*(torch.arange(side) for side in window))
        apart = place[:, None] - place + torch.tensor(window) - 1
        index = apart[..., 0] * (2 * window[1] - 1) + apart[..., 1]
        torn = [torch.arange(size) >= size - step for size, step in zip(grid, shift, strict=True)]
        region = (2 * torn[0][:, None] + torn[1].long())[None, ..., None]
        region = partitioned(region, window).squeeze(-1)
        mask = -100.0 * (region[:, :, None] != region[:, None])
        sides = [torch.arange(1 - side, side) * 8 / max(side - 1, 1) for side in window]
        offsets = torch.cartesian_prod(*sides)
        return index, mask, offsets.sign() * torch.log2(offsets.abs() + 1) / 3
