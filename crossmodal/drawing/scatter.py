"""Scatter plots of points by class, for embeddings of features; a class looks the same in every panel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from .canvas import add_legend, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINT_COLOURS = ("#D55E00", "#009E73", "#0072B2", "#F0E442", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A class has a colour (Okabe and Ito's, for any kind of colour vision) and a marker; either alone identifies eight."""

SIDE, ABOVE, HEAD, LINE, GAP = 2.7, 0.45, 0.32, 0.19, 0.12
"""Inches: a panel's side, the words above one, the title, a line at the foot, and between panels."""


class ScatterPanel(NamedTuple):
    """A panel of points.

    Attributes:
        title: Written above it.
        subtitle: A second line, for its numbers.
        points: `(point, 2)`.
    """

    title: str
    subtitle: str
    points: Tensor


def scatter_figure(
    panels: Sequence[ScatterPanel],
    labels: Tensor,
    classes: Sequence[str],
    *,
    columns: int = 2,
    title: str = "",
    caption: str = "",
) -> "Figure":
    """Draws panels of points; a point has the same class, colour and marker in all of them.

    Colours repeat after eight classes, with other markers.

    Args:
        panels: The panels, row by row.
        labels: `(point,)`, integers: the class of every point of every panel.
        classes: Their names, for the legend.
        columns: Panels in a row.
        title: Written at the top.
        caption: Written at the bottom; line breaks are kept.

    Raises:
        ValueError: If panels and labels do not fit each other.
    """
    _check(panels, labels, classes)
    rows, lines = -(-len(panels) // columns), caption.count("\n") + 1 if caption else 0
    legend = -(-len(classes) // 4)
    width = columns * (SIDE + GAP) + GAP
    top, foot = HEAD * bool(title), LINE * (lines + 1.2 * legend) + 0.2
    height = top + rows * (SIDE + ABOVE) + foot
    figure = new_figure(width, height)
    figure.text(0.5, 1 - 0.5 * HEAD / height, title, ha="center", va="center", fontsize=11, weight="bold")
    for at, panel in enumerate(panels):
        row, column = divmod(at, columns)
        left, low = GAP + column * (SIDE + GAP), height - top - (row + 1) * (SIDE + ABOVE)
        axes = figure.add_axes((left / width, low / height, SIDE / width, SIDE / height), xticks=[], yticks=[])
        axes.set_title(f"{panel.title}\n{panel.subtitle}", fontsize=9, pad=3, linespacing=1.25)
        points = panel.points.detach().cpu()
        for place, name in enumerate(classes):
            own = points[labels.cpu() == place]
            axes.scatter(own[:, 0].numpy(), own[:, 1].numpy(), label=name, **class_style(place))
    drawn = figure.axes[0].collections
    below = (0.5, (LINE * lines + 0.06) / height)
    add_legend(figure, classes, drawn, loc="lower center", bbox_to_anchor=below, ncols=4, fontsize=9, markerscale=1.6)
    figure.text(GAP / width, 0.06 / height, caption, ha="left", va="bottom", fontsize=8, linespacing=1.3)
    return figure


def class_style(place: int) -> dict[str, Any]:
    """Returns colour and marker of the class at `place`; up to 64 classes, no two share both."""
    turn, colour = divmod(place, len(POINT_COLOURS))
    return {
        "color": POINT_COLOURS[colour],
        "marker": MARKERS[(colour + turn) % len(MARKERS)],
        "s": 11.0,
        "linewidths": 0.25,
        "edgecolors": "#333333",
        "alpha": 0.8,
    }


def _check(panels: Sequence[ScatterPanel], labels: Tensor, classes: Sequence[str]) -> None:
    """Raises `ValueError` if panels, labels and classes do not fit each other."""
    for panel in panels:
        if panel.points.shape != (len(labels), 2):
            raise ValueError(
                f"scatter_figure: panel {panel.title!r} has points of shape {tuple(panel.points.shape)}, but there are "
                f"{len(labels)} labels: expected ({len(labels)}, 2)."
            )
    if not panels or not len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise ValueError(
            f"scatter_figure: {len(panels)} panels, {len(labels)} labels and {len(classes)} classes: give a panel at "
            "least, a point at least, and labels that are places in classes."
        )
