"""Maps over the frames that they were made for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..data import Preprocess
from ..site import Site
from .canvas import Limits, colour_bar, panels
from .placing import placed

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
    """A row of frames, each under its map and grey, so that all colour is the map's; without a map the frames alone.

    - `frames`: `(frame, 3, height, width)`, RGB in [0, 1] or bytes; `pictures` makes them of what a model takes.
    - `values`: a map `(frame, token, 1)`. `site`: where it was made; its axes are rows and columns.
    - `limits`: values at both ends of the colours; `None`: the least and the greatest of the map.
    - `titles`: a title a frame. `label`: of the colour bar. `opacity`: of the map, in [0, 1].

    Raises `ValueError` where map, frames and site do not fit each other.
    """
    seen = checked_frames(frames, "over_frames")
    row = panels(len(seen), seen.shape[1] / seen.shape[2], inches=1.1, bar=values is not None, titles=bool(titles))
    for panel, picture in enumerate(seen if values is None else grey(seen)):
        row.show(panel, picture)
    if values is not None:
        grid = fitting(values, site, len(seen), ("row", "column"), "over_frames")
        image = row.cover(grid, limits, opacity)
        colour_bar(row.figure, image, label)
    return row.close(titles, len(seen))


def pictures(frames: Tensor, preprocess: Preprocess) -> Tensor:
    """Frames `(frame, 3, height, width)` as a model takes them, back to RGB in [0, 1]."""
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (preprocess.mean, preprocess.std))
    return (frames.detach().to("cpu", torch.float32) * std + mean).clamp(0, 1)


def grey(seen: Tensor) -> Tensor:
    """Pictures `(…, 3)` by their brightness alone (luma of ITU-R BT.601)."""
    return (seen @ torch.tensor([0.299, 0.587, 0.114]))[..., None].expand_as(seen)


def fitting(values: Tensor, site: Site | None, frames: int, axes: tuple[str, str], who: str) -> Tensor:
    """The map on its axes, which must be these, for so many frames; `ValueError` in words where it does not fit."""
    if site is None:
        raise ValueError(f"{who}: values needs its site: read_sites(lockstep) knows those of every coupler.")
    if tuple(site.axes) != axes:
        raise ValueError(
            f"{who}: site {site.name!r} has the axes {', '.join(site.axes)}, expected {', '.join(axes)}: "
            "over_frames() draws maps of images, over_spectrogram() those of sound."
        )
    grid = placed(values, site)
    if len(grid) != frames:
        raise ValueError(f"{who}: values has {len(grid)} frames, but there are {frames} to draw it over.")
    return grid


def checked_frames(frames: Tensor, who: str) -> Tensor:
    """Frames as `(frame, height, width, 3)` in [0, 1]; `ValueError` where they are none."""
    if frames.ndim != 4 or frames.shape[1] != 3 or not len(frames):
        raise ValueError(f"{who}: frames has shape {tuple(frames.shape)}, expected (frame, 3, height, width).")
    seen = frames.detach().to("cpu", torch.float32) / (255 if frames.dtype == torch.uint8 else 1)
    if seen.min() < -0.5 or seen.max() > 1.5:
        raise ValueError(
            f"{who}: frames has values from {seen.min():.2f} to {seen.max():.2f}, expected RGB in [0, 1]: undo "
            "the normalisation by pictures(frames, preprocess)."
        )
    return seen.clamp(0, 1).permute(0, 2, 3, 1)
