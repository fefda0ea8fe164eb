"""Figure of a study: the difference of every variant to the baseline, with its interval."""

import io
from typing import TYPE_CHECKING

from crossmodal.drawing.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crossmodal.evaluation.result_table import ResultTable

INK, SEEDS = "#2e86ab", "#e4572e"
GREY = "#808080"
"""Can be read on white and on black."""


def difference_figure(table: "ResultTable") -> "Figure":
    """Draws a line per variant: its difference to the baseline, the interval, and a stroke for every seed."""
    rows = [(row, row.difference) for row in table.rows if row.difference is not None]
    figure = new_figure(7.0, 0.9 + 0.34 * max(len(rows), 1))
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, linewidth=1)
    for place, (row, interval) in enumerate(rows):
        value, low, high = (100 * number for number in interval)
        axes.plot([low, high], [place, place], color=INK, linewidth=2.5, solid_capstyle="butt")
        axes.plot([value], [place], "o", color=INK, markersize=7)
        axes.plot([100 * gap for gap in row.gaps], [place] * len(row.gaps), "|", color=SEEDS, markersize=9)
    axes.set_yticks(range(len(rows)), [row.name for row, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(f"points against “{table.baseline}”: mean, 95 % interval; a stroke is a seed", color=GREY)
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    figure.set_layout_engine("tight")
    return figure


def svg_text(figure: "Figure") -> str:
    """Returns the figure as SVG, the same text for the same figure."""
    import matplotlib

    text = io.StringIO()
    # ids within an SVG are salted at random: unsalted, the same figure is another file every time
    with matplotlib.rc_context({"svg.hashsalt": "ablation"}):
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # their names are addresses on other hosts
        figure.savefig(text, format="svg", transparent=True, metadata=unsaid)
    return text.getvalue()
