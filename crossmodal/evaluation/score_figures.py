"""Figures of compared systems: bars of their scores, or curves over the values of one option; a panel per setting."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from crossmodal.data.table_cell import csv_text
from crossmodal.drawing.canvas import add_legend, new_figure
from crossmodal.evaluation.difference_figure import GREY, INK, SEEDS, svg_text
from crossmodal.evaluation.result_table import ResultTable
from crossmodal.io import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INKS = ("#2e86ab", "#e4572e", "#5b8c5a", "#a23b72", "#f0a202", "#6c6f7d", "#3d348b", "#17bebb")
"""Can be read on white and on black."""
LINES = ("o-", "s--", "^:")
"""Marks and strokes of lines, in the order in which the inks are used up."""

Panels = Mapping[str, Mapping[str, ResultTable]]
"""Name of a panel → value of the option → table of the runs there."""


class CurvePoint(NamedTuple):
    """Scores of one system at one value of the option, over its seeds; shares in [0, 1].

    Attributes:
        panel: Name of the setting; empty where there is one alone.
        system: Name of the row.
        value: Of the option.
        mean: Of all seeds.
        low: Of the lowest seed.
        high: Of the highest seed.
        seeds: Number of finished runs.
    """

    panel: str
    system: str
    value: str
    mean: float
    low: float
    high: float
    seeds: int


def curve_points(panels: Panels) -> list[CurvePoint]:
    """Returns a point per panel, system and value, in the order of the rows; runs that are not finished have none."""
    points = []
    for panel, tables in panels.items():
        for name in dict.fromkeys(row.name for table in tables.values() for row in table.rows):
            for value, table in tables.items():
                scores = [score for row in table.rows if row.name == name for score in row.scores]
                if scores:
                    points.append(CurvePoint(panel, name, value, fmean(scores), min(scores), max(scores), len(scores)))
    return points


def curve_figure(points: Sequence[CurvePoint], option: str, score: str) -> "Figure":
    """Draws a line per system, and a band from its lowest to its highest seed; panels share their vertical axis.

    Args:
        points: Of all systems; values are spread evenly, in the order in which they occur.
        option: Name of the option, below the figure.
        score: Name of the score, beside it.
    """
    names = list(dict.fromkeys(point.system for point in points))
    inks = {name: INKS[at % len(INKS)] for at, name in enumerate(names)}
    lines = {name: LINES[at // len(INKS) % len(LINES)] for at, name in enumerate(names)}
    values = list(dict.fromkeys(point.value for point in points))

    def draw(axes: "Axes", panel: str) -> None:
        for name in names:
            of = [point for point in points if (point.panel, point.system) == (panel, name)]
            places = [values.index(point.value) for point in of]
            low, mean, high = ([100 * getattr(point, edge) for point in of] for edge in ("low", "mean", "high"))
            axes.fill_between(places, low, high, color=inks[name], alpha=0.15, linewidth=0)
            axes.plot(places, mean, lines[name], color=inks[name], label=name, markersize=4)
        axes.set_xticks(range(len(values)), values)
        axes.set_xlabel(f"{option}; bands from the lowest to the highest seed", color=GREY)

    panels = list(dict.fromkeys(point.panel for point in points))
    figure = _panels(panels, draw, f"{score}, %", size=(4.6, 4.2))
    last = figure.axes[-1]  # has a line of every system, without points where none is finished
    add_legend(last, names, last.get_lines(), labelcolor=GREY, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def bar_figure(panels: Mapping[str, ResultTable]) -> "Figure":
    """Draws a bar per system, the mean over seeds, a stroke for every seed, and a line at chance.

    Args:
        panels: Name of a panel → table; of the same score.
    """
    names = list(dict.fromkeys(row.name for table in panels.values() for row in table.rows))

    def draw(axes: "Axes", panel: str) -> None:
        table = panels[panel]
        for row in table.rows:
            place = names.index(row.name)
            axes.bar(place, 100 * row.mean, color=INK, width=0.7)
            axes.plot([place] * len(row.scores), [100 * score for score in row.scores], "_", color=SEEDS, markersize=10)
        if table.chance is not None:
            axes.axhline(100 * table.chance, color=GREY, linewidth=1, linestyle="--")
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_xlabel("strokes: seeds; dashed: chance", color=GREY)

    (score, *_) = {table.score for table in panels.values()}
    return _panels(list(panels), draw, f"{score}, %", size=(1.2 + 0.5 * len(names), 4.2))


def write_curves(folder: Path, panels: Panels, option: str, score: str) -> list[Path]:
    """Writes `curves.csv` and `curves.svg`; returns both paths, or none where no run is finished."""
    from pandas import DataFrame

    points = curve_points(panels)
    if not points:
        return []
    frame = DataFrame(points, columns=list(CurvePoint._fields))
    files = {"curves.csv": csv_text(frame), "curves.svg": svg_text(curve_figure(points, option, score))}
    for name, text in files.items():
        write_whole(folder / name, text)
    return [folder / name for name in files]


def write_bars(folder: Path, panels: Mapping[str, ResultTable]) -> list[Path]:
    """Writes `scores.svg`; returns its path, or nothing where no run is finished."""
    shown = {name: table for name, table in panels.items() if table.rows}
    if not shown:
        return []
    write_whole(folder / "scores.svg", svg_text(bar_figure(shown)))
    return [folder / "scores.svg"]


def _panels(
    names: Sequence[str], draw: Callable[["Axes", str], None], label: str, *, size: tuple[float, float]
) -> "Figure":
    """Draws panels side by side, under their names."""
    figure = new_figure(size[0] * len(names) + 1.8, size[1])
    first: Axes | None = None
    for at, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), at + 1, sharey=first)
        first = first or axes
        draw(axes, name)
        axes.set_title(name, color=GREY, fontsize=10)
        axes.tick_params(colors=GREY)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
    figure.axes[0].set_ylabel(label, color=GREY)
    figure.set_layout_engine("tight")
    return figure
