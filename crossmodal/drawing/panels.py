"""Rows of panels below each other: frames, maps over them, the effect of a guide, and scores as bars."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..site import Site
from .canvas import FLAT, GAP, PanelStrip, add_legend, drawn_as, new_figure, value_range
from .frames import checked_frames, grey, map_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, WORDS, HEAD, SCORES = 1.15, 0.24, 0.28, 0.8
"""Inches: a panel's width, a line of words above a row, the titles, the scores."""

BAR_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Distinguishable with any kind of colour vision (Okabe and Ito)."""


class PanelRow(NamedTuple):
    """A row of panels, one for each frame: values over the tokens of a site, or the plain frames.

    Attributes:
        label: Written above the row, with the minimum and the maximum.
        values: `(frame, token, 1)`: a map, or the `change` of a counterfactual; `None` for the plain frames.
        site: Where the values were computed. Rows and columns are drawn over frames, frequency and time over the
            spectrogram.
        flat: Span below which the values are called flat and drawn faintly; 0 where they are no map in [0, 1].
    """

    label: str
    values: Tensor | None
    site: Site
    flat: float = FLAT


def panel_figure(
    rows: Sequence[PanelRow],
    *,
    frames: Tensor,
    log_mel: Tensor | None = None,
    outlines: Tensor | None = None,
    titles: Sequence[str] = (),
    scores: Mapping[str, Tensor] | None = None,
) -> "Figure":
    """Draws rows of panels below each other, for example a map and the counterfactual change in the same places.

    Every row has its own colour scale, from its minimum to its maximum; both stand above the row.

    Args:
        rows: The rows, from top to bottom.
        frames: `(frame, 3, height, width)`, RGB in [0, 1] or bytes; `pictures` converts the input of a model.
        log_mel: `(frame, time, mel)` in dB; needed if a row's site has frequency and time.
        outlines: Boolean masks `(frame, height, width)`, outlined on every row of frames.
        titles: One for each frame.
        scores: Name → `(frame,)` in [0, 1], drawn as bars below.

    Raises:
        ValueError: If rows, frames and sites do not fit each other.
    """
    images = checked_frames(frames, "panel_figure")
    if not rows or (titles and len(titles) != len(images)):
        raise ValueError(
            f"panel_figure: {len(rows)} rows and {len(titles)} titles were given for {len(images)} frames."
        )
    layers = [_layers(row, images, log_mel, outlines) for row in rows]
    foot = (WORDS + SCORES if scores else 0) + 0.06
    height = foot + HEAD * bool(titles) + sum(WORDS + PANEL * row.ratio for row in layers)
    figure = new_figure(PANEL * _width(len(images)), height)
    for panel, title in enumerate(titles):
        middle = (panel * (1 + GAP) + 0.5) / _width(len(images))
        figure.text(middle, 1 - 0.5 * HEAD / height, title, fontsize=9, ha="center", va="center")
    top = height - HEAD * bool(titles)
    for row in layers:
        figure.text(0.003, (top - 0.55 * WORDS) / height, row.label, fontsize=9, va="center")
        top -= WORDS + PANEL * row.ratio
        row.draw(PanelStrip(figure, figure.add_axes((0, top / height, 1, PANEL * row.ratio / height)), row.ratio))
    if scores:
        _draw_bars(figure.add_axes((0, 0.06 / height, 1, SCORES / height)), scores, len(images))
    return figure


class _Layers(NamedTuple):
    """The layers of a row: images, over them a grid of values, over that outlines."""

    label: str
    images: Tensor
    ratio: float
    grid: Tensor | None
    outlines: Tensor | None
    low_first: bool
    opacity: float = 0.6

    def draw(self, strip: PanelStrip) -> None:
        strip.axes.set_axis_off()
        low, high = value_range(self.images, None)
        for panel, image in enumerate(self.images):
            # vmin, vmax and cmap have no effect on RGB images
            strip.show(panel, image, low_first=self.low_first, vmin=low, vmax=high, cmap="gray")
        if self.grid is not None:
            strip.overlay(self.grid, None, self.opacity, low_first=self.low_first)
        for panel, mask in enumerate(() if self.outlines is None else self.outlines):
            _draw_outline(strip, panel, mask)
        strip.finish((), len(self.images))


def _layers(row: PanelRow, images: Tensor, log_mel: Tensor | None, outlines: Tensor | None) -> _Layers:
    """Prepares the layers of a row; `ValueError` if it does not fit the frames or the spectrogram."""
    if tuple(row.site.axes) == ("frequency", "time"):
        if log_mel is None:
            raise ValueError(
                f"panel_figure: {row.label!r} belongs to sound (site {row.site.name!r}): give its log_mel."
            )
        spectrograms = log_mel.detach().to("cpu", torch.float32).transpose(1, 2)
        return _with_range(row, ("frequency", "time"), _Layers(row.label, spectrograms, 0.75, None, None, True))
    backgrounds = images if row.values is None else grey(images)
    masks = None if outlines is None else outlines.detach().cpu()
    ratio = images.shape[1] / images.shape[2]
    return _with_range(row, ("row", "column"), _Layers(row.label, backgrounds, ratio, None, masks, False))


def _with_range(row: PanelRow, axes: tuple[str, str], layers: _Layers) -> _Layers:
    """Adds the grid of values to the layers of a row, and their minimum and maximum to its label."""
    if row.values is None:
        return layers
    grid = map_grid(row.values, row.site, len(layers.images), axes, "panel_figure")
    low, high = value_range(grid, None)
    label, opacity = drawn_as(grid, f"{row.label}: {low:.3f} … {high:.3f}", layers.opacity, flat=row.flat)
    return layers._replace(label=label, grid=grid, opacity=opacity)


def _width(count: int) -> float:
    """Returns the width of `count` panels with the gaps between them, in panels."""
    return count + GAP * (count - 1)


def _draw_outline(strip: PanelStrip, panel: int, mask: Tensor) -> None:
    """Draws a white line with a black border around the pixels of a mask."""
    if not mask.any():
        return
    rows, columns = mask.shape
    across = panel * (1 + GAP) + (torch.arange(columns) + 0.5) / columns
    down = (1 - (torch.arange(rows) + 0.5) / rows) * strip.ratio
    for colour, width in (("black", 2.6), ("white", 1.3)):  # the wider line first: seen on dark and on light
        strip.axes.contour(
            across.numpy(), down.numpy(), mask.float().numpy(), levels=[0.5], colors=colour, linewidths=width
        )


def _draw_bars(axes: "Axes", scores: Mapping[str, Tensor], count: int) -> None:
    """Draws a group of bars below every panel, each with its value."""
    share = 0.84 / len(scores)
    for number, (name, values) in enumerate(scores.items()):
        lefts = [panel * (1 + GAP) + 0.08 + number * share for panel in range(count)]
        heights = values.detach().to("cpu", torch.float32).tolist()
        colour = BAR_COLOURS[number % len(BAR_COLOURS)]
        bars = axes.bar(lefts, heights, share * 0.9, align="edge", color=colour, label=name)
        axes.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=7, padding=1)
    axes.set(xlim=(0, _width(count)), ylim=(0, 1.2))
    axes.set_axis_off()
    place = {"loc": "lower left", "bbox_to_anchor": (0, 0.98), "borderaxespad": 0}
    add_legend(axes, list(scores), axes.containers, ncols=4, fontsize=8, **place)
