"""Scores of several systems over the values of one option, such as the number of shots: a table and a figure."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from crossmodal.data.table_cell import csv_text
from crossmodal.drawing.canvas import new_figure
from crossmodal.evaluation.difference_figure import GREY, svg_text
from crossmodal.evaluation.result_table import ResultTable
from crossmodal.io import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INKS = ("#2e86ab", "#e4572e", "#5b8c5a", "#a23b72", "#f0a202", "#6c6f7d", "#3d348b", "#17bebb")
"""Can be read on white and on black."""


class CurvePoint(NamedTuple):
    """Scores of one system at one value of the option, over its seeds; shares in [0, 1].

    Attributes:
        system: Name of the row.
        value: Of the option.
        mean: Of all seeds.
        low: Of the lowest seed.
        high: Of the highest seed.
        seeds: Number of finished runs.
    """

    system: str
    value: str
    mean: float
    low: float
    high: float
    seeds: int


def curve_points(tables: Mapping[str, ResultTable]) -> list[CurvePoint]:
    """Returns a point per system and value, in the order of the rows; runs that are not finished have none.

    Args:
        tables: Value of the option → table of its runs.
    """
    points = []
    for name in dict.fromkeys(row.name for table in tables.values() for row in table.rows):
        for value, table in tables.items():
            scores = [score for row in table.rows if row.name == name for score in row.scores]
            if scores:
                points.append(CurvePoint(name, value, fmean(scores), min(scores), max(scores), len(scores)))
    return points


def curve_figure(points: list[CurvePoint], option: str, score: str) -> "Figure":
    """Draws a line per system, and a band from its lowest to its highest seed.

    Args:
        points: Of all systems; values are spread evenly, in the order in which they occur.
        option: Name of the option, below the figure.
        score: Name of the score, beside it.
    """
    values = list(dict.fromkeys(point.value for point in points))
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    for at, name in enumerate(dict.fromkeys(point.system for point in points)):
        of, ink = [point for point in points if point.system == name], INKS[at % len(INKS)]
        places = [values.index(point.value) for point in of]
        low, mean, high = ([100 * getattr(point, edge) for point in of] for edge in ("low", "mean", "high"))
        axes.fill_between(places, low, high, color=ink, alpha=0.15, linewidth=0)
        axes.plot(places, mean, "o-", color=ink, label=name, markersize=4)
    axes.set_xticks(range(len(values)), values)
    axes.set_xlabel(f"{option}; bands from the lowest to the highest seed", color=GREY)
    axes.set_ylabel(f"{score}, %", color=GREY)
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.legend(frameon=False, labelcolor=GREY, fontsize=8)
    figure.set_layout_engine("tight")
    return figure


def write_curves(folder: Path, tables: Mapping[str, ResultTable], option: str, score: str) -> list[Path]:
    """Writes `curves.csv` and `curves.svg`; returns both paths, or none where no run is finished."""
    from pandas import DataFrame

    points = curve_points(tables)
    if not points:
        return []
    frame = DataFrame(points, columns=list(CurvePoint._fields))
    files = {"curves.csv": csv_text(frame), "curves.svg": svg_text(curve_figure(points, option, score))}
    for name, text in files.items():
        write_whole(folder / name, text)
    return [folder / name for name in files]
