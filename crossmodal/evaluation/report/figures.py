"""Curves of a training and the confusion table of a test, as a page shows them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from crossmodal.data.extras import need
from crossmodal.drawing.canvas import add_legend, new_figure

from .page import Picture, as_picture, page_style

if TYPE_CHECKING:
    from pandas import DataFrame, Series

CURVE_COLOURS = ("#2e86ab", "#e4572e", "#009e73", "#cc79a7", "#e69f00", "#7f7fbf")
"""Told apart on white and on black."""
LEGEND_INSIDE = 6
"""Lines of a panel whose legend has room inside it."""

MOST_LABELS = 40
"""Labels of a confusion table; a larger one cannot be read."""


class Confusion(NamedTuple):
    """A confusion table: a line per true label, a column per predicted one.

    Attributes:
        columns: Predicted labels.
        lines: True labels with their counts.
        remark: Sentence about labels that are left out; empty where there are none.
    """

    columns: Sequence[str]
    lines: Sequence["ConfusionLine"]
    remark: str


class ConfusionLine(NamedTuple):
    """Counts of one true label.

    Attributes:
        truth: The label.
        cells: Count, and share of the line, of every column.
        total: Count of the whole line.
        right: Share that was predicted right, in words.
    """

    truth: str
    cells: Sequence[tuple[int, float]]
    total: int
    right: str


def curves(metrics: "DataFrame", monitor: str, chance: float | None, scores: Collection[str]) -> list[Picture]:
    """Draws what a training logged: losses, their terms, scores and learning rates; nothing that was not logged.

    Args:
        metrics: Table of `metrics.csv`.
        monitor: Name of the score that selects the weights.
        chance: Value of that score by chance, drawn as a dashed line.
        scores: Names of the scores; what else is logged of the validation is a term of the loss.
    """
    drawn = []
    with page_style():
        for title, columns in _panels(list(metrics.columns), monitor, scores).items():
            lines = {name: _points(metrics, column) for name, column in columns.items()}
            lines = {name: line for name, line in lines.items() if len(line)}
            if lines:
                drawn.append(_curve(title, lines, chance if title == monitor else None))
    return drawn


def _panels(columns: Sequence[str], monitor: str, scores: Collection[str]) -> dict[str, dict[str, str]]:
    """Returns title of a panel → name of a curve → its column."""
    train, val = ([name.removeprefix(s) for name in columns if name.startswith(s)] for s in ("train_", "val_"))
    # a short training may have logged no step of its own: its terms are known from the validation alone
    terms = list(dict.fromkeys(name for name in (*train, *val) if name not in (*scores, "loss", monitor)))
    others = [name for name in val if name in scores and name != monitor]
    return {
        "loss": {"training": "train_loss", "validation": "val_loss"},
        monitor: {"validation": f"val_{monitor}"},
        "loss terms, training": {name: f"train_{name}" for name in terms},
        "loss terms, validation": {name: f"val_{name}" for name in terms},
        "other scores, validation": {name: f"val_{name}" for name in others},
        "learning rate": {name.removeprefix("lr-"): name for name in columns if name.startswith("lr")},
    }


def _points(metrics: "DataFrame", column: str) -> "Series":
    """Returns the logged values of one column by step; none where there is no such column."""
    return metrics.set_index("step")[column].dropna() if column in metrics else metrics["step"][:0]


def _curve(title: str, lines: Mapping[str, "Series"], chance: float | None) -> Picture:
    """Draws one panel."""
    beside = len(lines) > LEGEND_INSIDE  # a legend over more lines would hide them
    inches = 5.6 if beside else 3.8
    figure = new_figure(inches, 2.3)
    axes = figure.add_axes((0.57 / inches, 0.17, 3.1 / inches, 0.7))
    for number, (name, line) in enumerate(lines.items()):
        colour, marker = CURVE_COLOURS[number % len(CURVE_COLOURS)], "o" if len(line) < 40 else ""
        axes.plot(line.index, line.values, color=colour, marker=marker, markersize=3, linewidth=1.3, label=name)
    if chance is not None:
        axes.axhline(chance, color="#888888", linestyle="--", linewidth=1, label="chance")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1.1)} if beside else {}
    add_legend(axes, [*lines, *(["chance"] if chance is not None else [])], axes.get_lines(), fontsize=7, **place)
    return as_picture(figure, f"curve {title}", share=1.0)


def confusion(rows: "DataFrame", unit: str) -> Confusion | None:
    """Counts which label is taken for which; `None` where the rows have no labels.

    Args:
        rows: Table of `predictions.csv`.
        unit: What is counted, `"segments"`.
    """
    if not {"truth", "prediction"} <= set(rows.columns):
        return None
    counts = need("pandas", "report.html").crosstab(rows["truth"], rows["prediction"])
    # background last, where no class stands below it
    names = sorted({*counts.index, *counts.columns}, key=lambda name: (name == "background", name))
    counts = counts.reindex(index=names, columns=names, fill_value=0)
    totals = counts.sum(axis=1)
    shown = set(totals.sort_values(ascending=False, kind="stable").index[:MOST_LABELS])
    kept = [name for name in names if name in shown]
    left = len(names) - len(kept)
    remark = f"The {MOST_LABELS} labels with most {unit}; {left} others are left out of the table." if left else ""
    return Confusion(kept, list(_lines(counts, totals, kept)), remark)


def _lines(counts: "DataFrame", totals: "Series", names: Sequence[str]) -> Iterator[ConfusionLine]:
    """Yields the lines of the table."""
    for truth in names:
        total, of = int(totals[truth]), [int(counts.at[truth, name]) for name in names]
        right = f"{100 * counts.at[truth, truth] / total:.0f} %" if total else "–"
        yield ConfusionLine(truth, [(count, count / total if total else 0.0) for count in of], total, right)
