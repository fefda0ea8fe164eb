"""Strips of spans over time: a strip of several rows each, and on a row the seconds in which something holds."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .canvas import cut_name, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECOND, LINE, TITLE, AXIS = 0.72, 0.26, 0.26, 0.24
"""Inches: width of a second, height of a row, of a strip's title and of the axis."""
NAMES = 2.2
"""Inches left of the seconds, for the names of rows."""
LONGEST = 24
"""Characters of a label that fit there, before its kind."""

Marks = Sequence[bool]
"""Whether something holds, second by second."""


def span_strips(
    strips: Mapping[str, Mapping[str, Mapping[str, Marks]]], *, labels: Sequence[str], start: int = 0
) -> "Figure":
    """Draws strips below each other; in each, a row per label and kind.

    Args:
        strips: Title of a strip → label → kind (`"truth"`, `"predicted"`) → marks. The first kind is drawn pale, the
            others full.
        labels: All labels; a label's place among them gives its colour.
        start: Second of the first mark, for the axis.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    rows = sum(max(1, sum(len(kinds) for kinds in found.values())) for found in strips.values())
    seconds = _seconds(strips)
    height = rows * LINE + len(strips) * TITLE + AXIS
    figure = new_figure(NAMES + seconds * SECOND, height)
    axes = figure.add_axes((0, AXIS / height, 1, 1 - AXIS / height))
    axes.set(xlim=(-NAMES / SECOND, seconds), ylim=(height - AXIS, 0), yticks=[])
    axes.set_xticks([second + 0.5 for second in range(seconds)])
    axes.set_xticklabels([f"{start + second} s" for second in range(seconds)], fontsize=7)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    top = 0.0
    for title, found in strips.items():
        axes.text(-NAMES / SECOND, top + TITLE / 2, title, ha="left", va="center", fontsize=9, weight="bold")
        top = _draw_strip(axes, found, labels, top + TITLE, seconds)
    return figure


def _draw_strip(
    axes: "Axes", found: Mapping[str, Mapping[str, Marks]], labels: Sequence[str], top: float, seconds: int
) -> float:
    """Draws the rows of one strip from `top` on; returns where they end."""
    if not found:
        axes.text(-NAMES / SECOND + 0.15, top + LINE / 2, "nothing", ha="left", va="center", fontsize=7.5)
        return top + LINE
    for label, kinds in found.items():
        for number, (kind, marks) in enumerate(kinds.items()):
            colour = (*colorsys.hls_to_rgb(round(labels.index(label) * 137.5) % 360 / 360, 0.5, 0.6),)
            axes.text(
                -0.1, top + LINE / 2, f"{cut_name(label, LONGEST)}, {kind}", ha="right", va="center", fontsize=7.5
            )
            axes.hlines(top + 0.9 * LINE, 0, seconds, colors="0.5", linewidth=0.3)
            for first, last in spans(marks):
                alpha = 0.4 if number == 0 and len(kinds) > 1 else 0.9
                axes.barh(top + LINE / 2, last - first, left=first, height=0.7 * LINE, color=colour, alpha=alpha)
            top += LINE
    return top


def spans(marks: Marks) -> list[tuple[int, int]]:
    """Returns the runs of seconds that are marked, each by its first second and the one after its last."""
    edges = [at for at in range(len(marks) + 1) if _at(marks, at) != _at(marks, at - 1)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _at(marks: Marks, second: int) -> bool:
    """Returns a mark; none before the first second and behind the last."""
    return 0 <= second < len(marks) and bool(marks[second])


def _seconds(strips: Mapping[str, Mapping[str, Mapping[str, Marks]]]) -> int:
    """Returns the length of the longest row; 10 where there is none."""
    lengths = [len(marks) for found in strips.values() for kinds in found.values() for marks in kinds.values()]
    return max(lengths, default=10)
