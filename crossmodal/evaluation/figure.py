"""What every variant of an ablation costs or gains, drawn with its interval."""

import io
from typing import TYPE_CHECKING

from crossmodal.drawing.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crossmodal.evaluation.table import AblationTable

INK, SEEDS = "#2e86ab", "#e4572e"
GREY = "#808080"
"""Reads on white and on black."""


def drawn(table: "AblationTable") -> "Figure":
    """A line a variant: the difference to the full model, its interval, and a dot for every seed."""
    rows = [row for row in table.rows if row.difference is not None]
    figure = new_figure(7.0, 0.9 + 0.34 * max(len(rows), 1))
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, linewidth=1)
    for place, row in enumerate(rows):
        if row.difference is not None:
            value, low, high = (100 * number for number in row.difference)
            axes.plot([low, high], [place, place], color=INK, linewidth=2.5, solid_capstyle="butt")
            axes.plot([value], [place], "o", color=INK, markersize=7)
            axes.plot([100 * gap for gap in row.gaps], [place] * len(row.gaps), "|", color=SEEDS, markersize=9)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(f"points against “{table.baseline}”: mean, 95 % interval; a stroke is a seed", color=GREY)
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    figure.set_layout_engine("tight")
    return figure


def as_svg(figure: "Figure") -> str:
    """The figure as a file of SVG, the same for the same figure."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ablation"}):
        unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # their names are addresses on other hosts
        figure.savefig(text, format="svg", transparent=True, metadata=unsaid)
    return text.getvalue()
