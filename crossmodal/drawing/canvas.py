"""What the drawings share: a figure, a row of panels, a colour bar. matplotlib is imported when one is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..data.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

GAP = 0.04
"""Between two panels, in widths of a panel."""

Limits = tuple[float, float] | None
"""The values at both ends of a colour scale; `None` for the least and the greatest that there are."""

ABOVE, BELOW = 0.22, 0.3
"""Inches above panels for their titles, and below for the colour bar."""


def blank(width: float, height: float) -> "Figure":
    """A figure of that many inches, which belongs to no window. Raises `ImportError` without matplotlib."""
    figure: Figure = need("matplotlib.figure", "crossmodal.drawing").Figure(figsize=(width, height))
    return figure


def ends(values: Tensor, limits: Limits) -> tuple[float, float]:
    """`limits`, or the least and the greatest value, apart where they are equal."""
    if limits is not None:
        return limits
    finite = values[values.isfinite()]
    low, high = finite.min().item(), finite.max().item()
    return (low, high) if high > low else (low - 0.5, high + 0.5)


@dataclass(frozen=True)
class Panels:
    """Panels side by side on one pair of axes, each one unit wide and `ratio` high; one artist draws a layer of one."""

    figure: "Figure"
    axes: "Axes"
    ratio: float

    def show(self, panel: int, picture: Tensor, *, up: bool = False, **style: Any) -> "AxesImage":
        """Draws a picture `(row, column[, channel])` into a panel, its first row on top, or at the foot with `up`."""
        left = panel * (1 + GAP)
        extent = (left, left + 1, 0, self.ratio)
        image: AxesImage = self.axes.imshow(
            picture.numpy(), extent=extent, origin="lower" if up else "upper", aspect="auto", **style
        )
        return image

    def cover(self, grid: Tensor, limits: Limits, opacity: float, *, up: bool = False) -> "AxesImage":
        """Draws the map `(frame, first, second)` over all panels; returns one layer, for the colour bar."""
        low, high = ends(grid, limits)
        style = {"vmin": low, "vmax": high, "cmap": "inferno", "alpha": opacity, "interpolation": "nearest"}
        return [self.show(panel, cells, up=up, **style) for panel, cells in enumerate(grid)][-1]

    def close(self, titles: Sequence[str], count: int) -> "Figure":
        """Sets the limits and writes a title above every panel."""
        if titles and len(titles) != count:
            raise ValueError(f"drawing: {len(titles)} titles were given for {count} frames.")
        self.axes.set(xlim=(0, count + GAP * (count - 1)), ylim=(0, self.ratio))
        for panel, title in enumerate(titles):
            middle = panel * (1 + GAP) + 0.5
            self.axes.text(middle, self.ratio * 1.02, title, ha="center", va="bottom", fontsize=8)
        return self.figure


def panels(count: int, ratio: float, *, inches: float, bar: bool, titles: bool) -> Panels:
    """An empty row of `count` panels, `inches` wide each; room for a bar below and for titles where they are wanted."""
    above, below = ABOVE * titles, (BELOW + 0.05) * bar
    height = above + below + inches * ratio
    figure = blank(inches * (count + GAP * (count - 1)), height)
    axes = figure.add_axes((0, below / height, 1, inches * ratio / height))
    axes.set_axis_off()
    return Panels(figure, axes, ratio)


def colour_bar(figure: "Figure", image: "AxesImage", label: str) -> None:
    """A slim bar in the lower left corner: the values at both ends of the scale, and what they are."""
    width, height = figure.get_size_inches()
    bar = figure.add_axes((0.4 / width, 0.08 / height, min(1.2, width - 0.8) / width, 0.1 / height))
    scale = figure.colorbar(image, cax=bar, orientation="horizontal", ticks=[])
    scale.outline.set_visible(False)
    if scale.solids is not None:
        scale.solids.set_alpha(1)
    low, high = image.get_clim()
    for place, side, text in ((-0.04, "right", f"{low:.3f}"), (1.04, "left", f"{high:.3f}   {label}")):
        bar.text(place, 0.5, text, transform=bar.transAxes, ha=side, va="center", fontsize=8)
