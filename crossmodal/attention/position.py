"""Relative-position biases of window attention: one number per head for every pair of tokens of a window."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..lazy_constant import LazyConstant
from ..precision import without_autocast
from ..shapes import shaped


class PositionTable(nn.Module):
    """Learns a bias for every relative position inside a window (Swin v1).

    Shapes: `()` → bias `(head, query, key)`, tokens row-major; initialised from N(0, 0.02²), truncated.
    Source: Liu et al., *Swin Transformer*, ICCV 2021.
    """

    def __init__(self, window: tuple[int, int], heads: int):
        """Builds the table.

        Args:
            window: Rows and columns of the window, in tokens.
            heads: Attention heads.
        """
        super().__init__()
        rows, columns = window
        self.table = nn.Parameter(torch.empty((2 * rows - 1) * (2 * columns - 1), heads))
        self.index = LazyConstant(relative_index, window)
        nn.init.trunc_normal_(self.table, std=0.02)

    @shaped
    def forward(self) -> Float[Tensor, "head query key"]:
        """Computes the bias, from the weights alone."""
        return _spread(self.table, self.index.on(self.table.device))


class ContinuousPosition(nn.Module):
    r"""Computes a bias from the relative position by a small network (Swin v2): $16\,\sigma(\mathrm{MLP}(\delta))$.

    The network reads log-spaced offsets $\operatorname{sign}(\delta)\log_2(1 + |\delta|)/\log_2 8$ with δ in [-8, 8]
    over the window that the network was first trained with; in a larger window δ goes further. It runs outside of
    autocast: the bias of a frozen network is computed once, for calls of any precision.

    Shapes: `()` → bias `(head, query, key)` in (0, 16), tokens row-major.
    Source: Liu et al., *Swin Transformer V2*, CVPR 2022.
    """

    def __init__(self, window: tuple[int, int], heads: int, *, hidden: int = 512, pretrained_window: int | None = None):
        """Builds the network.

        Args:
            window: Rows and columns of the window, in tokens.
            heads: Attention heads.
            hidden: Units of the hidden layer.
            pretrained_window: Side of the window that the network was trained with first, where that was another.

        Raises:
            ValueError: If `pretrained_window` is less than 2.
        """
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, heads, bias=False))
        self.index = LazyConstant(relative_index, window)
        self.window, self.pretrained_window = window, pretrained_window
        self.trained_with(pretrained_window)

    def trained_with(self, pretrained_window: int | None) -> None:
        """Sets the side of the window that the weights were trained with first; `None` for the block's own.

        Raises:
            ValueError: If it is less than 2.
        """
        if pretrained_window is not None and pretrained_window < 2:
            raise ValueError(
                f"ContinuousPosition: pretrained_window={pretrained_window} must be at least 2; leave it out where the "
                f"weights were trained with window={self.window}."
            )
        self.pretrained_window = pretrained_window
        reach = self.window if pretrained_window is None else (pretrained_window, pretrained_window)
        self.coordinates = LazyConstant(log_coordinates, self.window, reach)

    @shaped
    def forward(self) -> Float[Tensor, "head query key"]:
        """Computes the bias, from the weights alone."""
        # A quantised network may have no floating weight: it takes float32 then, as torch's own does.
        weight = [*filter(torch.is_floating_point, self.mlp.parameters()), torch.empty(0)][0]
        with without_autocast(weight.device):
            table = 16 * self.mlp(self.coordinates.on(weight.device).to(weight.dtype)).sigmoid()
        return _spread(table, self.index.on(weight.device))

    def extra_repr(self) -> str:
        """Shows the windows."""
        trained = "" if self.pretrained_window is None else f", pretrained_window={self.pretrained_window}"
        return f"window={self.window}{trained}"


def relative_index(window: tuple[int, int], *, device: torch.device) -> Tensor:
    """Computes for every pair (query, key) of a row-major window its row in the table of positions, query − key."""
    rows, columns = window
    row = torch.arange(rows, device=device).repeat_interleave(columns)
    column = torch.arange(columns, device=device).repeat(rows)
    down, right = (axis[:, None] - axis[None, :] for axis in (row, column))
    return (down + rows - 1) * (2 * columns - 1) + right + columns - 1


def log_coordinates(window: tuple[int, int], reach: tuple[int, int], *, device: torch.device) -> Tensor:
    """Computes log-spaced coordinates of all relative positions, `(position, 2)`; in float32, as published.

    Args:
        window: Rows and columns of the window.
        reach: Those of the window whose largest offset is 8 before its logarithm is taken.
        device: Where they are made.
    """
    axes = [
        # at least 1: a window of one row has the offset 0 alone
        torch.arange(1 - size, size, device=device, dtype=torch.float32) / max(most - 1, 1) * 8
        for size, most in zip(window, reach, strict=True)
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)
    return offsets.sign() * (offsets.abs() + 1).log2() / math.log2(8)


def _spread(table: Tensor, index: Tensor) -> Tensor:
    return table[index].permute(2, 0, 1).contiguous()  # head query key
