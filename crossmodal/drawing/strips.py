"""Strips of labels over time: a row of cells per label sequence, one cell per segment."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .canvas import cut_name, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

HUES = {"red": 0, "orange": 30, "yellow": 55, "green": 130, "cyan": 185, "blue": 225, "purple": 275, "magenta": 310}
"""Hues in degrees of labels that are names of colours; others are spread by the golden angle."""

CELL, ROW, AXIS = 1.0, 0.5, 0.22
"""Inches: width of a cell, height of a row with its name above the cells, height of the axis."""
LONGEST = 14
"""Characters of a name that fit a cell."""


def label_strips(
    rows: Mapping[str, Sequence[int]],
    names: Sequence[str],
    *,
    scores: Mapping[str, Sequence[float]] | None = None,
    wrong: Mapping[str, Sequence[bool]] | None = None,
    start: int | None = 0,
) -> "Figure":
    """Draws label sequences below each other.

    Args:
        rows: Name of the row → label index per segment.
        names: Names of the labels; the last index beyond them is background and is drawn without colour.
        scores: Name of the row → score per segment, written below the label.
        wrong: Name of the row → whether a segment is wrong; such cells are marked with ✗.
        start: Second of the first segment, for the axis; `None` draws none.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    count = max(len(labels) for labels in rows.values())
    foot = 0.0 if start is None else AXIS
    width, height = CELL * count, ROW * len(rows) + foot
    figure = new_figure(width, height)
    axes = figure.add_axes((0, foot / height, 1, ROW * len(rows) / height))
    axes.set(xlim=(0, count), ylim=(len(rows), 0), yticks=[], xticks=[segment + 0.5 for segment in range(count)])
    axes.set_xticklabels(["" if start is None else f"{start + segment} s" for segment in range(count)], fontsize=7)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    for row, (title, labels) in enumerate(rows.items()):
        axes.text(0.02, row + 0.2, title, ha="left", va="center", fontsize=8)
        for at, label in enumerate(labels):
            name = names[label] if label < len(names) else "background"
            face = (0.5, 0.5, 0.5, 0.12) if label >= len(names) else _colour(name, label)
            axes.add_patch(_cell(at, row, face))
            # on a line of its own: behind a long name it would leave the cell, and at the edge the picture
            score = f"\n{scores[title][at]:.2f}" if scores and title in scores else ""
            mark = "✗ " if wrong and title in wrong and wrong[title][at] else ""
            text = f"{mark}{cut_name(name, LONGEST)}{score}"
            axes.text(at + 0.5, row + 0.68, text, ha="center", va="center", fontsize=6.5, linespacing=1.1)
    return figure


def _cell(at: int, row: int, face: tuple[float, ...]) -> "Rectangle":
    """Returns the rectangle of one cell."""
    from matplotlib.patches import Rectangle

    return Rectangle((at + 0.02, row + 0.38), 0.96, 0.6, facecolor=face, edgecolor="none")


def _colour(name: str, label: int) -> tuple[float, ...]:
    """Returns a colour for a label on which text reads, dark on a white page and light on a dark one."""
    hue = HUES.get(name, round(label * 137.5) % 360)  # the golden angle: neighbours differ
    return (*colorsys.hls_to_rgb(hue / 360, 0.55, 0.65), 0.45)
