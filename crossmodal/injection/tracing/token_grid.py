"""Inference of rows and columns of third-party sequences, from the feature maps that ran before."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import isqrt

from ...site import Axes
from ..hooks.as_tokens import placed
from ..hooks.probe import ProbedModule
from ..hooks.tensor_layout import TensorLayout
from ..hooks.token_places import Evidence

logger = logging.getLogger("crossmodal")

MOST_PREFIX = 16
"""More leading tokens than this are not taken for class tokens and registers."""

Placement = tuple[tuple[int, int], int]
"""Rows and columns, and the number of leading tokens without a place."""


def infer_grid(
    layouts: Iterable[TensorLayout],
    probed: Mapping[str, ProbedModule],
    frames: int,
    axes: Callable[[int, int], Axes],
    evidence: Evidence,
) -> list[TensorLayout]:
    """Infers rows and columns of the tokens along a model, in order.

    A feature map has them. A sequence has those of a feature map of the probe that holds as many tokens, or a few less:
    the others are its prefix. After a merge rows and columns are fewer by one factor. Else its tokens lie in a row.

    What is inferred is a guess: some models keep tokens in another order than row by row. A guess that `evidence`
    contradicts is dropped for the next; where all are, the place of the tokens is not known (axis `token`), also behind
    that site until evidence agrees again, and a warning says so.

    Args:
        layouts: Along the model, in order.
        probed: The modules that ran in the probe.
        frames: Number of frames of the example.
        axes: From rows and columns to the axes of a site.
        evidence: Whether tokens look where a site claims that they lie.
    """
    maps = [layout for probed in probed.values() for layout in (probed.writes, probed.reads) if layout is not None]
    grids = list(dict.fromkeys(layout.grid for layout in maps if "row" in layout.layout and layout.frames == frames))
    found: list[TensorLayout] = []
    lost: list[str] = []
    for layout in layouts:
        before = found[-1] if found else None
        if before is not None and before.tokens == layout.tokens and "row" not in layout.layout:
            found.append(replace(layout, axes=before.axes, prefix=before.prefix))
            lost += [layout.name] if before.name in lost else []
            continue
        guesses = [
            replace(layout, axes=axes(*grid)) if "row" in layout.layout else placed(layout, grid, prefix, axes)
            for grid, prefix in _guesses(layout, before, grids)
        ]
        allowed = ("agrees",) if before is not None and before.name in lost else ("agrees", "silent")
        fitting = next((guess for guess in guesses if evidence(len(found), guess) in allowed), None)
        if guesses and fitting is None:
            lost.append(layout.name)
        found.append(fitting or replace(layout, axes={"token": tuple(range(layout.tokens))}))
    if lost:
        logger.warning(
            "sections_of: tokens at %r (%d sites) do not lie row by row, as blotting out parts of the example shows: "
            "their place is not known (axis 'token'); say it by axes=.",
            lost[0],
            len(lost),
        )
    return found


def _guesses(
    layout: TensorLayout, before: TensorLayout | None, grids: Iterable[tuple[int, int]]
) -> Iterator[Placement]:
    """Yields what the tokens of a layout may be, the likeliest first."""
    if "row" in layout.layout:
        yield layout.grid, 0
        return
    kept = _kept(layout.tokens, (before.grid, before.prefix) if before is not None else None)
    yield from dict.fromkeys(([kept] if kept else []) + _fitting(layout.tokens, grids))


def _kept(tokens: int, before: Placement | None) -> Placement | None:
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


def _fitting(tokens: int, grids: Iterable[tuple[int, int]]) -> list[Placement]:
    """Returns the feature maps that leave the fewest leading tokens first; a column only behind all others."""
    fits = [(tokens - rows * columns, min(rows, columns) == 1, (rows, columns)) for rows, columns in grids]
    few = [fit for fit in fits if 0 <= fit[0] <= MOST_PREFIX and fit[2] != (1, 1)]
    latest = few[::-1]
    return [(grid, prefix) for prefix, _, grid in sorted(latest, key=lambda fit: fit[:2])]
