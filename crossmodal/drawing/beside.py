"""Maps and counterfactuals of the same frames below each other, with what became of a score."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..site import Site
from .canvas import GAP, Panels, blank, ends
from .frames import checked_frames, fitting, grey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, WORDS, HEAD, SCORES = 1.15, 0.24, 0.28, 0.8
"""Inches: a panel's width, a line of words above a row, the titles, the scores."""

INKS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Told apart with any kind of colour vision (Okabe and Ito)."""


class Look(NamedTuple):
    """A row of panels: values over the tokens of a site, or with `None` the frames as they are.

    - `label`: what is seen, said above the row beside the least and the greatest value.
    - `values`: `(frame, token, 1)`: a map, or the `change` of a counterfactual.
    - `site`: where they belong: rows and columns are drawn over frames, frequency and time over the spectrogram.
    """

    label: str
    values: Tensor | None
    site: Site


def beside(
    looks: Sequence[Look],
    *,
    frames: Tensor,
    log_mel: Tensor | None = None,
    outlines: Tensor | None = None,
    titles: Sequence[str] = (),
    scores: Mapping[str, Tensor] | None = None,
) -> "Figure":
    """Rows of panels, a panel a frame: a map, and below it what the guide changed, in the same places.

    Every row has colours of its own, from its least to its greatest value, which stand above it.

    - `frames`: `(frame, 3, height, width)`, RGB in [0, 1] or bytes; `pictures` makes them of what a model takes.
    - `log_mel`: `(frame, time, mel)` in dB, where a row belongs to sound.
    - `outlines`: `(frame, height, width)`, bool: drawn as a line around the object on every row of frames.
    - `titles`: a title a frame. `scores`: name → `(frame,)` in [0, 1], as bars below.

    Raises `ValueError` where rows, frames and sites do not fit each other.
    """
    seen = checked_frames(frames, "beside")
    if not looks or (titles and len(titles) != len(seen)):
        raise ValueError(f"beside: {len(looks)} looks and {len(titles)} titles were given for {len(seen)} frames.")
    rows = [_row(look, seen, log_mel, outlines) for look in looks]
    foot = (WORDS + SCORES if scores else 0) + 0.06
    height = foot + HEAD * bool(titles) + sum(WORDS + PANEL * row.ratio for row in rows)
    figure = blank(PANEL * _wide(len(seen)), height)
    for panel, title in enumerate(titles):
        middle = (panel * (1 + GAP) + 0.5) / _wide(len(seen))
        figure.text(middle, 1 - 0.5 * HEAD / height, title, fontsize=9, ha="center", va="center")
    top = height - HEAD * bool(titles)
    for row in rows:
        figure.text(0.003, (top - 0.55 * WORDS) / height, row.label, fontsize=9, va="center")
        top -= WORDS + PANEL * row.ratio
        row.draw(Panels(figure, figure.add_axes((0, top / height, 1, PANEL * row.ratio / height)), row.ratio))
    if scores:
        _bars(figure.add_axes((0, 0.06 / height, 1, SCORES / height)), scores, len(seen))
    return figure


class _Row(NamedTuple):
    """What a look draws: pictures, over them a grid of values, over that outlines."""

    label: str
    pictures: Tensor
    ratio: float
    grid: Tensor | None
    outlines: Tensor | None
    sound: bool

    def draw(self, panels: Panels) -> None:
        panels.axes.set_axis_off()
        low, high = ends(self.pictures, None)
        for panel, picture in enumerate(self.pictures):
            panels.show(panel, picture, up=self.sound, vmin=low, vmax=high, cmap="gray")  # of a coloured one: ignored
        if self.grid is not None:
            panels.cover(self.grid, None, 0.6, up=self.sound)
        for panel, mask in enumerate(() if self.outlines is None else self.outlines):
            _outline(panels, panel, mask)
        panels.close((), len(self.pictures))


def _row(look: Look, seen: Tensor, log_mel: Tensor | None, outlines: Tensor | None) -> _Row:
    """The row of one look; `ValueError` where it does not fit the frames or the sound."""
    if tuple(look.site.axes) == ("frequency", "time"):
        if log_mel is None:
            raise ValueError(f"beside: {look.label!r} belongs to sound (site {look.site.name!r}): give its log_mel.")
        heard = log_mel.detach().to("cpu", torch.float32).transpose(1, 2)
        return _Row(*_labelled(look, ("frequency", "time"), heard, 0.75), None, True)
    pictures = seen if look.values is None else grey(seen)
    kept = None if outlines is None else outlines.detach().cpu()
    return _Row(*_labelled(look, ("row", "column"), pictures, seen.shape[1] / seen.shape[2]), kept, False)


def _labelled(
    look: Look, axes: tuple[str, str], pictures: Tensor, ratio: float
) -> tuple[str, Tensor, float, Tensor | None]:
    if look.values is None:
        return look.label, pictures, ratio, None
    grid = fitting(look.values, look.site, len(pictures), axes, "beside")
    low, high = ends(grid, None)
    return f"{look.label}: {low:.3f} … {high:.3f}", pictures, ratio, grid


def _wide(count: int) -> float:
    return count + GAP * (count - 1)


def _outline(panels: Panels, panel: int, mask: Tensor) -> None:
    """A white line in a black one around the pixels of a mask."""
    if not mask.any():
        return
    rows, columns = mask.shape
    across = panel * (1 + GAP) + (torch.arange(columns) + 0.5) / columns
    down = (1 - (torch.arange(rows) + 0.5) / rows) * panels.ratio
    for colour, width in (("black", 2.6), ("white", 1.3)):
        panels.axes.contour(
            across.numpy(), down.numpy(), mask.float().numpy(), levels=[0.5], colors=colour, linewidths=width
        )


def _bars(axes: "Axes", scores: Mapping[str, Tensor], count: int) -> None:
    """A group of bars below every panel, each with its value."""
    share = 0.84 / len(scores)
    for number, (name, values) in enumerate(scores.items()):
        lefts = [panel * (1 + GAP) + 0.08 + number * share for panel in range(count)]
        heights = values.detach().to("cpu", torch.float32).tolist()
        bars = axes.bar(lefts, heights, share * 0.9, align="edge", color=INKS[number % len(INKS)], label=name)
        axes.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=7, padding=1)
    axes.set(xlim=(0, _wide(count)), ylim=(0, 1.2))
    axes.set_axis_off()
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=4, fontsize=8, frameon=False, borderaxespad=0)
