"""Shared by the drawings: a figure, a strip of panels, a colour bar. Imports matplotlib when a figure is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..data.extras import need
from ..io import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

GAP = 0.04
"""Width of the gap between two panels, in panels."""

FLAT, FAINT = 0.01, 0.3
"""A map whose values span less than `FLAT` of [0, 1] is called flat, and drawn with `FAINT` of the usual opacity."""

Limits = tuple[float, float] | None
"""The values at both ends of a colour scale; `None` for the minimum and the maximum of the data."""

ABOVE, BELOW = 0.22, 0.3
"""Inches above panels for their titles, and below for the colour bar."""


def new_figure(width: float, height: float) -> "Figure":
    """Creates a figure of that many inches, outside pyplot, so that no window opens.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    # pyplot would keep every figure alive until it is closed
    return _literal_figure(need("matplotlib.figure", "crossmodal.drawing").Figure)(figsize=(width, height))


@cache
def _literal_figure(kind: Any) -> "type[Figure]":
    """Returns the class of figures in which a dollar is a dollar: labels and names are the user's, not formulas."""
    import matplotlib
    from matplotlib.text import Text

    class LiteralFigure(kind):
        def draw(self, renderer: Any) -> None:
            for text in self.findobj(Text):
                text.set_parse_math(False)
            with matplotlib.rc_context({"text.parse_math": False}):  # for the labels of ticks, made as they are drawn
                super().draw(renderer)

    return LiteralFigure


def add_legend(of: "Axes | Figure", names: Sequence[str], drawn: Sequence[Any], **style: Any) -> None:
    """Adds a legend without a frame that has every name: matplotlib leaves out those that begin with `_`.

    Args:
        of: Axes or figure.
        names: What is written.
        drawn: Line, points or bars of every name.
        **style: Options of `Axes.legend`.

    Raises:
        ValueError: If not every name has what is drawn.
    """
    legend = of.legend(list(drawn), [str(place) for place in range(len(drawn))], frameon=False, **style)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def write_figure(file: Path, figure: "Figure", *, dpi: int = 130) -> None:
    """Writes a figure whole or not at all, in the format of the file's suffix.

    Args:
        file: Picture to write.
        figure: What it shows.
        dpi: Pixels per inch of a format that has pixels.

    Raises:
        OSError: If the file cannot be written.
    """
    with whole_file(file) as draft:
        figure.savefig(draft, dpi=dpi)


def value_range(values: Tensor, limits: Limits) -> tuple[float, float]:
    """Returns `limits`, or the minimum and the maximum of the finite values, widened if they are equal."""
    if limits is not None:
        return limits
    finite = values[values.isfinite()]
    low, high = finite.min().item(), finite.max().item()
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def span_of(values: Tensor) -> float:
    """Returns the difference of the greatest and the least finite value; zero where there is none."""
    finite = values[values.isfinite()]
    return (finite.max() - finite.min()).item() if len(finite) else 0.0


def drawn_as(values: Tensor, label: str, opacity: float, *, flat: float = FLAT) -> tuple[str, float]:
    """Returns the label and the opacity of a map: one that hardly varies is called flat, and faint.

    A colour scale from its minimum to its maximum would show its last digits as a pattern.

    Args:
        values: The map.
        label: What is written beside it.
        opacity: Of a map that varies.
        flat: Span below which it is flat; 0 for values that are no map in [0, 1].
    """
    span = span_of(values)
    return (f"flat, spans {span:.4f}: {label}", FAINT * opacity) if span < flat else (label, opacity)


def cut_name(name: str, most: int) -> str:
    """Shortens a long name to so many characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


@dataclass(frozen=True)
class PanelStrip:
    """Panels side by side on one pair of axes, each one unit wide and `ratio` high."""

    figure: "Figure"
    axes: "Axes"
    ratio: float

    def show(self, panel: int, image: Tensor, *, low_first: bool = False, **style: Any) -> "AxesImage":
        """Draws an image `(row, column[, channel])` into a panel.

        Args:
            panel: Index of the panel.
            image: Its first row is drawn at the top.
            low_first: Draw the first row at the bottom instead, as for the lowest band of a spectrogram.
            **style: Options of `Axes.imshow`.
        """
        left = panel * (1 + GAP)
        extent = (left, left + 1, 0, self.ratio)
        drawn: AxesImage = self.axes.imshow(
            image.numpy(), extent=extent, origin="lower" if low_first else "upper", aspect="auto", **style
        )
        return drawn

    def overlay(self, grid: Tensor, limits: Limits, opacity: float, *, low_first: bool = False) -> "AxesImage":
        """Draws a map `(frame, first, second)` over all panels; returns one layer, for the colour bar."""
        low, high = value_range(grid, limits)
        style = {"vmin": low, "vmax": high, "cmap": "inferno", "alpha": opacity, "interpolation": "nearest"}
        return [self.show(panel, cells, low_first=low_first, **style) for panel, cells in enumerate(grid)][-1]

    def finish(self, titles: Sequence[str], count: int) -> "Figure":
        """Sets the limits of the axes and writes a title above every panel.

        Raises:
            ValueError: If there are titles, but not one for each panel.
        """
        if titles and len(titles) != count:
            raise ValueError(f"drawing: {len(titles)} titles were given for {count} frames.")
        self.axes.set(xlim=(0, count + GAP * (count - 1)), ylim=(0, self.ratio))
        for panel, title in enumerate(titles):
            middle = panel * (1 + GAP) + 0.5
            self.axes.text(middle, self.ratio * 1.02, title, ha="center", va="bottom", fontsize=8)
        return self.figure


def panel_strip(count: int, ratio: float, *, inches: float, bar: bool, titles: bool) -> PanelStrip:
    """Creates an empty strip of panels.

    Args:
        count: Number of panels.
        ratio: Height of a panel over its width.
        inches: Width of a panel.
        bar: Leave space for a colour bar below.
        titles: Leave space for titles above.
    """
    above, below = ABOVE * titles, (BELOW + 0.05) * bar
    height = above + below + inches * ratio
    figure = new_figure(inches * (count + GAP * (count - 1)), height)
    axes = figure.add_axes((0, below / height, 1, inches * ratio / height))
    axes.set_axis_off()
    return PanelStrip(figure, axes, ratio)


def colour_bar(figure: "Figure", image: "AxesImage", label: str) -> None:
    """Draws a slim colour bar in the lower left corner, with the values at both ends and a label."""
    width, height = figure.get_size_inches()
    bar = figure.add_axes((0.4 / width, 0.08 / height, min(1.2, width - 0.8) / width, 0.1 / height))
    scale = figure.colorbar(image, cax=bar, orientation="horizontal", ticks=[])
    scale.outline.set_visible(False)
    if scale.solids is not None:
        scale.solids.set_alpha(1)  # the layer is translucent, the bar should not be
    low, high = image.get_clim()
    for place, side, text in ((-0.04, "right", f"{low:.3f}"), (1.04, "left", f"{high:.3f}   {label}")):
        bar.text(place, 0.5, text, transform=bar.transAxes, ha=side, va="center", fontsize=8)
