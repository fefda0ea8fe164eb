"""Drawings of maps over spectrograms: every value at its band and time, whatever the encoder's fold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..site import Site
from .canvas import Limits, colour_bar, drawn_as, panel_strip, value_range
from .frames import map_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_spectrogram(
    log_mel: Tensor,
    values: Tensor | None = None,
    site: Site | None = None,
    *,
    limits: Limits = (0.0, 1.0),
    titles: Sequence[str] = (),
    label: str = "map",
    opacity: float = 0.55,
) -> "Figure":
    """Draws a row of spectrograms, low bands at the bottom, each under its map.

    Args:
        log_mel: `(frame, time, mel)` in dB: the stretch of time that the tokens cover.
        values: A map `(frame, token, 1)`; `None` draws the spectrograms alone. A value covers its share of the bands
            and of the time.
        site: Where the map was computed; its axes are frequency and time.
        limits: Values at both ends of the colour scale; `None` for the minimum and the maximum of the map.
        titles: One for each frame.
        label: Written beside the colour bar.
        opacity: Of the map, in [0, 1]; a map that hardly varies (`canvas.FLAT`) is drawn faintly and called flat.

    Raises:
        ValueError: If map, spectrogram and site do not fit each other.
    """
    if log_mel.ndim != 3 or not log_mel.numel():
        raise ValueError(f"over_spectrogram: log_mel has shape {tuple(log_mel.shape)}, expected (frame, time, mel).")
    images = log_mel.detach().to("cpu", torch.float32).transpose(1, 2)
    strip = panel_strip(len(images), 0.75, inches=1.1, bar=values is not None, titles=bool(titles))
    low, high = value_range(images, None)  # one scale for all frames: loud and soft ones stay so
    for panel, image in enumerate(images):
        strip.show(panel, image, low_first=True, vmin=low, vmax=high, cmap="gray")
    if values is not None:
        grid = map_grid(values, site, len(images), ("frequency", "time"), "over_spectrogram")
        label, opacity = drawn_as(grid, label, opacity)
        colour_bar(strip.figure, strip.overlay(grid, limits, opacity, low_first=True), label)
    return strip.finish(titles, len(images))
