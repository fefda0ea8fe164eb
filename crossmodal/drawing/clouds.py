"""Points in the plane by class, the same classes and marks in every panel: what an embedding of features looks like."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from .canvas import blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INKS = ("#D55E00", "#009E73", "#0072B2", "#F0E442", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A class has a colour (Okabe and Ito's, for any kind of colour vision) and a mark: either alone would do for eight."""

SIDE, ABOVE, HEAD, LINE, GAP = 2.7, 0.45, 0.32, 0.19, 0.12
"""Inches: a panel's side, the words above one, the title, a line at the foot, and between panels."""


class Cloud(NamedTuple):
    """A panel.

    - `title`: above it. `told`: a second line, for its numbers.
    - `points`: `(point, 2)`.
    """

    title: str
    told: str
    points: Tensor


def clouds(
    panels: Sequence[Cloud],
    labels: Tensor,
    classes: Sequence[str],
    *,
    columns: int = 2,
    title: str = "",
    caption: str = "",
) -> "Figure":
    """Panels in rows of `columns`; a point has the same class, colour and mark in all of them.

    - `labels`: `(point,)`, integers: the class of every point of every panel.
    - `classes`: their names, for the legend.
    - `title`: on top. `caption`: at the foot; its own lines are kept.

    Colours come round after eight classes, marks move on with them. Raises `ValueError` where panels and labels do not
    fit each other.
    """
    for panel in panels:
        if panel.points.shape != (len(labels), 2):
            raise ValueError(
                f"clouds: panel {panel.title!r} has points of shape {tuple(panel.points.shape)}, but there are "
                f"{len(labels)} labels: expected ({len(labels)}, 2)."
            )
    if not panels or not len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise ValueError(
            f"clouds: {len(panels)} panels, {len(labels)} labels and {len(classes)} classes: give a panel at least, a "
            "point at least, and labels that are places in classes."
        )
    rows, lines = -(-len(panels) // columns), caption.count("\n") + 1 if caption else 0
    legend = -(-len(classes) // 4)
    width = columns * (SIDE + GAP) + GAP
    top, foot = HEAD * bool(title), LINE * (lines + 1.2 * legend) + 0.2
    height = top + rows * (SIDE + ABOVE) + foot
    figure = blank(width, height)
    figure.text(0.5, 1 - 0.5 * HEAD / height, title, ha="center", va="center", fontsize=11, weight="bold")
    for at, panel in enumerate(panels):
        row, column = divmod(at, columns)
        left, low = GAP + column * (SIDE + GAP), height - top - (row + 1) * (SIDE + ABOVE)
        axes = figure.add_axes((left / width, low / height, SIDE / width, SIDE / height), xticks=[], yticks=[])
        axes.set_title(f"{panel.title}\n{panel.told}", fontsize=9, pad=3, linespacing=1.25)
        points = panel.points.detach().cpu()
        for place, name in enumerate(classes):
            own = points[labels.cpu() == place]
            axes.scatter(own[:, 0].numpy(), own[:, 1].numpy(), label=name, **_mark(place))
    handles, names = figure.axes[0].get_legend_handles_labels()
    below = (0.5, (LINE * lines + 0.06) / height)
    figure.legend(
        handles, names, loc="lower center", bbox_to_anchor=below, ncols=4, fontsize=9, frameon=False, markerscale=1.6
    )
    figure.text(GAP / width, 0.06 / height, caption, ha="left", va="bottom", fontsize=8, linespacing=1.3)
    return figure


def _mark(place: int) -> dict[str, Any]:
    """Colour and mark of a class; two classes share one of them only, up to 64."""
    turn, ink = divmod(place, len(INKS))
    return {
        "color": INKS[ink],
        "marker": MARKS[(ink + turn) % len(MARKS)],
        "s": 11.0,
        "linewidths": 0.25,
        "edgecolors": "#333333",
        "alpha": 0.8,
    }
