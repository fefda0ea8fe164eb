"""Pictures of answers to a question: their probabilities, where a sound was found, and when the question looked."""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import TYPE_CHECKING

from torch import Tensor

from .canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW, TITLE, PANEL = 10.0, 0.24, 0.3, 0.9
"""Inches: of a figure, of an answer's bar, of a question, of the panels below it."""
NAMES = 1.3
"""Inches left of bars and panels."""


def answer_figure(
    questions: Sequence[str],
    answers: Sequence[Mapping[str, float]],
    *,
    truths: Sequence[str] = (),
    where: Tensor,
    when: Mapping[str, Tensor],
    start: int = 0,
) -> "Figure":
    """Draws a block for every question: its likeliest answers, grounding maps, and weights over the segments.

    Args:
        questions: The questions.
        answers: Probability by answer, of every question, the likeliest first.
        truths: True answers, where they are known.
        where: Weights over the tokens of every segment, `(question, segment, token)`; no tokens where there are none.
            They are drawn where they fill a square.
        when: Name → weights over the segments, `(question, segment)`; those without segments are left out.
        start: Second of the first segment.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    side = isqrt(where.shape[2])
    maps = where if side and side * side == where.shape[2] else where[:, :, :0]
    weights = {name: rows for name, rows in when.items() if rows.shape[1]}
    below = PANEL * bool(maps.shape[2]) + 2 * ROW * len(weights)
    heights = [TITLE + ROW * len(found) + below + 0.15 for found in answers]
    figure = new_figure(WIDTH, sum(heights))
    top = sum(heights)
    for at, (question, found) in enumerate(zip(questions, answers, strict=True)):
        truth = f"   ({truths[at]})" if truths else ""
        colour = "black" if not truths or truths[at] == next(iter(found)) else "firebrick"
        middle = (top - TITLE / 2) / sum(heights)
        figure.text(0.01, middle, f"{question}{truth}", weight="bold", color=colour, va="center")
        top -= TITLE + ROW * len(found)
        _bars(_axes(figure, top, ROW * len(found)), found)
        if maps.shape[2]:
            top -= PANEL
            _maps(figure, maps[at].unflatten(1, (side, side)), top, start)
        for name, rows in weights.items():
            top -= 2 * ROW
            _weights(_axes(figure, top + 0.1, 2 * ROW - 0.14), name, rows[at])
        top -= 0.15
    return figure


def _axes(figure: "Figure", bottom: float, height: float, left: float = NAMES, width: float = WIDTH - NAMES) -> "Axes":
    """Adds axes at a place in inches."""
    whole = figure.get_size_inches()[1]
    return figure.add_axes((left / WIDTH, bottom / whole, width / WIDTH, height / whole))


def _bars(axes: "Axes", found: Mapping[str, float]) -> None:
    """Draws a bar per answer."""
    names, values = list(found), list(found.values())
    axes.barh(range(len(names)), values, color="0.6", height=0.7)
    for at, value in enumerate(values):
        axes.text(value + 0.005, at, f"{value:.2f}", va="center", fontsize=7)
    axes.set(xlim=(0, 1.1), ylim=(len(names) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _maps(figure: "Figure", maps: Tensor, bottom: float, start: int) -> None:
    """Draws the grounding map of every segment."""
    width = (WIDTH - NAMES) / len(maps)
    figure.text(0.01, (bottom + PANEL / 2) / figure.get_size_inches()[1], "sound found", fontsize=8, va="center")
    for at, map in enumerate(maps):
        axes = _axes(figure, bottom + 0.05, PANEL - 0.25, NAMES + at * width, 0.9 * width)
        axes.imshow(map.float().numpy(), cmap="magma")
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{start + at} s", fontsize=7, pad=2)


def _weights(axes: "Axes", name: str, values: Tensor) -> None:
    """Draws weights over segments as a strip."""
    axes.bar(range(len(values)), values.float().tolist(), color="0.4", width=0.9)
    axes.set(xlim=(-0.5, len(values) - 0.5), xticks=[], yticks=[])
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
