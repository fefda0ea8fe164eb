"""Where the tokens of a third-party sequence lie: rows and columns, told from the feature maps that ran before."""

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
    ports: Iterable[TensorLayout], points: Mapping[str, ProbedModule], frames: int, axes: Callable[[int, int], Axes]
) -> list[TensorLayout]:
    """The ports along a model, in order, with rows and columns where they can be told.

    A feature map has them. A sequence has those of a feature map of the probe that holds as many tokens, or a few less:
    the others are its prefix. After a merge rows and columns are fewer by one factor. Else its tokens lie in a row.
    """
    maps = [port for point in points.values() for port in (point.writes, point.reads) if port is not None]
    grids = list(dict.fromkeys(port.grid for port in maps if "row" in port.layout and port.frames == frames))
    found: list[TensorLayout] = []
    for port in ports:
        if "row" in port.layout:
            found.append(replace(port, axes=axes(*port.grid)))
            continue
        before = (found[-1].grid, found[-1].prefix) if found else None
        grid, prefix = _kept(port.tokens, before) or _fitting(port.tokens, grids) or (None, 0)
        found.append(placed(port, grid, prefix, axes))
    return found


def _kept(tokens: int, before: tuple[tuple[int, int], int] | None) -> tuple[tuple[int, int], int] | None:
    """Grid and prefix before, the grid smaller by one factor where tokens were merged."""
    if before is None:
        return None
    (rows, columns), prefix = before
    if columns == 1:
        return None
    for left in dict.fromkeys((prefix, 0)):
        factor = isqrt(rows * columns // max(tokens - left, 1))
        if factor and (rows // factor) * (columns // factor) == tokens - left:
            return (rows // factor, columns // factor), left
    return None


def _fitting(tokens: int, grids: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], int] | None:
    """The feature map that leaves the fewest leading tokens; a column of tokens is no map where there is another."""
    fits = [(tokens - rows * columns, min(rows, columns) == 1, (rows, columns)) for rows, columns in grids]
    few = [fit for fit in fits if 0 <= fit[0] <= MOST_PREFIX and fit[2] != (1, 1)]
    if not few:
        return None
    prefix, _, grid = min(reversed(few), key=lambda fit: fit[:2])
    return grid, prefix
