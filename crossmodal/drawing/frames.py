"""Drawings of maps over the frames that they were computed for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..data import Preprocess
from ..site import Site
from .canvas import Limits, colour_bar, drawn_as, panel_strip
from .unfold_map import unfold_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_frames(
    frames: Tensor,
    values: Tensor | None = None,
    site: Site | None = None,
    *,
    limits: Limits = (0.0, 1.0),
    titles: Sequence[str] = (),
    label: str = "map",
    opacity: float = 0.55,
) -> "Figure":
    """Draws a row of frames, each under its map; frames under a map are grey, so that all colour belongs to the map.

    Args:
        frames: `(frame, 3, height, width)`, RGB in [0, 1] or bytes; `pictures` converts the input of a model.
        values: A map `(frame, token, 1)`; `None` draws the frames alone, in colour.
        site: Where the map was computed; its axes are rows and columns.
        limits: Values at both ends of the colour scale; `None` for the minimum and the maximum of the map.
        titles: One for each frame.
        label: Written beside the colour bar.
        opacity: Of the map, in [0, 1]; a map that hardly varies (`canvas.FLAT`) is drawn faintly and called flat.

    Raises:
        ValueError: If map, frames and site do not fit each other.
    """
    images = checked_frames(frames, "over_frames")
    ratio = images.shape[1] / images.shape[2]
    strip = panel_strip(len(images), ratio, inches=1.1, bar=values is not None, titles=bool(titles))
    for panel, image in enumerate(images if values is None else grey(images)):
        strip.show(panel, image)
    if values is not None:
        grid = map_grid(values, site, len(images), ("row", "column"), "over_frames")
        label, opacity = drawn_as(grid, label, opacity)
        colour_bar(strip.figure, strip.overlay(grid, limits, opacity), label)
    return strip.finish(titles, len(images))


def pictures(frames: Tensor, preprocess: Preprocess) -> Tensor:
    """Undoes the normalisation of frames `(frame, 3, height, width)`: back to RGB in [0, 1]."""
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (preprocess.mean, preprocess.std))
    return (frames.detach().to("cpu", torch.float32) * std + mean).clamp(0, 1)


def grey(images: Tensor) -> Tensor:
    """Replaces the colours of images `(…, 3)` by their luma (ITU-R BT.601)."""
    return (images @ torch.tensor([0.299, 0.587, 0.114]))[..., None].expand_as(images)


def map_grid(values: Tensor, site: Site | None, frames: int, axes: tuple[str, str], caller: str) -> Tensor:
    """Puts a map on the axes of its site, after checking these and the number of frames.

    Args:
        values: A map `(frame, token, 1)`.
        site: Where it was computed.
        frames: Number of frames to draw it over.
        axes: Names that the axes of the site must have.
        caller: The public function that errors name.

    Raises:
        ValueError: If the map does not fit, or `site` is `None`.
    """
    if site is None:
        raise ValueError(f"{caller}: values needs its site: read_sites(lockstep) knows those of every coupler.")
    if tuple(site.axes) != axes:
        raise ValueError(
            f"{caller}: site {site.name!r} has the axes {', '.join(site.axes)}, expected {', '.join(axes)}: "
            "over_frames() draws maps of images, over_spectrogram() those of sound."
        )
    grid = unfold_map(values, site)
    if len(grid) != frames:
        raise ValueError(f"{caller}: values has {len(grid)} frames, but there are {frames} to draw it over.")
    return grid


def checked_frames(frames: Tensor, caller: str) -> Tensor:
    """Converts frames to `(frame, height, width, 3)` in [0, 1].

    Raises:
        ValueError: If they have another shape, or values that are no RGB.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 or not len(frames):
        raise ValueError(f"{caller}: frames has shape {tuple(frames.shape)}, expected (frame, 3, height, width).")
    images = frames.detach().to("cpu", torch.float32) / (255 if frames.dtype == torch.uint8 else 1)
    if images.min() < -0.5 or images.max() > 1.5:  # resizing overshoots a little; normalised frames reach ±2
        raise ValueError(
            f"{caller}: frames has values from {images.min():.2f} to {images.max():.2f}, expected RGB in [0, 1]: undo "
            "the normalisation by pictures(frames, preprocess)."
        )
    return images.clamp(0, 1).permute(0, 2, 3, 1)
