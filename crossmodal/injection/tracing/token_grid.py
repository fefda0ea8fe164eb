"""Inference of rows and columns of third-party sequences, from the feature maps that ran before."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isqrt

from ...site import Axes
from ..hooks.as_tokens import placed
from ..hooks.probe import ProbedModule
from ..hooks.tensor_layout import TensorLayout

MOST_PREFIX = 16
"""More leading tokens than this are not taken for class tokens and registers."""


def infer_grid(
    layouts: Iterable[TensorLayout], probed: Mapping[str, ProbedModule], frames: int, axes: Callable[[int, int], Axes]
) -> list[TensorLayout]:
    """Infers rows and columns of the tokens along a model, in order.

    A feature map has them. A sequence has those of a feature map of the probe that holds as many tokens, or a few less:
    the others are its prefix. After a merge rows and columns are fewer by one factor. Else its tokens lie in a row.

    Args:
        layouts: Along the model, in order.
        probed: The modules that ran in the probe.
        frames: Number of frames of the example.
        axes: From rows and columns to the axes of a site.
    """
    maps = [layout for probed in probed.values() for layout in (probed.writes, probed.reads) if layout is not None]
    grids = list(dict.fromkeys(layout.grid for layout in maps if "row" in layout.layout and layout.frames == frames))
    found: list[TensorLayout] = []
    for layout in layouts:
        if "row" in layout.layout:
            found.append(replace(layout, axes=axes(*layout.grid)))
            continue
        before = (found[-1].grid, found[-1].prefix) if found else None
        grid, prefix = _kept(layout.tokens, before) or _fitting(layout.tokens, grids) or (None, 0)
        found.append(placed(layout, grid, prefix, axes))
    return found


def _kept(tokens: int, before: tuple[tuple[int, int], int] | None) -> tuple[tuple[int, int], int] | None:
    """Returns grid and prefix before, the grid smaller by one factor where tokens were merged."""
    if before is None:
        return None
    (rows, columns), prefix = before
    if columns == 1:
        return None
    for left in dict.fromkeys((prefix, 0)):  # a merge may drop the tokens without a place
        factor = isqrt(rows * columns // max(tokens - left, 1))
        if factor and (rows // factor) * (columns // factor) == tokens - left:
            return (rows // factor, columns // factor), left
    return None


def _fitting(tokens: int, grids: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], int] | None:
    """Returns the feature map that leaves the fewest leading tokens; a column only where there is no other."""
    fits = [(tokens - rows * columns, min(rows, columns) == 1, (rows, columns)) for rows, columns in grids]
    few = [fit for fit in fits if 0 <= fit[0] <= MOST_PREFIX and fit[2] != (1, 1)]
    if not few:
        return None
    prefix, _, grid = min(reversed(few), key=lambda fit: fit[:2])
    return grid, prefix
