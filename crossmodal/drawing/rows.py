"""Maps that have no place in a picture: over channels, and over the seconds of a clip."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .canvas import Limits, blank, colour_bar, ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_channels(values: Tensor, *, limits: Limits = (0.0, 1.0), label: str = "map") -> "Figure":
    """A channel map `(frame, 1, channel)`: bars for one frame, a row of heat a frame for several.

    `limits` and `label` are those of `over_frames`. Raises `ValueError` for a map of another shape.
    """
    if values.ndim != 3 or values.shape[1] != 1 or not values.numel():
        raise ValueError(
            f"over_channels: values has shape {tuple(values.shape)}, a channel map is (frame, 1, channel)."
        )
    heat = values.detach()[:, 0].to("cpu", torch.float32)
    low, high = ends(heat, limits)
    if len(heat) == 1:
        figure = blank(8, 2)
        axes = figure.add_axes((0.08, 0.24, 0.9, 0.7))
        axes.bar(range(heat.shape[1]), heat[0].tolist(), width=1)
        axes.set(xlim=(-0.5, heat.shape[1] - 0.5), ylim=(low, high), xlabel="channel", ylabel=label)
        return figure
    height = 0.9 + 0.16 * len(heat)
    figure = blank(8, height)
    axes = figure.add_axes((0.08, 0.75 / height, 0.9, 0.16 * len(heat) / height))
    image = axes.imshow(heat.numpy(), aspect="auto", vmin=low, vmax=high, cmap="inferno", interpolation="nearest")
    axes.set(xlabel="channel", ylabel="frame")
    colour_bar(figure, image, label)
    return figure


def over_time(values: Tensor, *, segments: int | None = None, label: str = "map") -> "Figure":
    """A temporal map `(frame, 1, 1)`: its value at every segment.

    `segments`: of a clip: a line a clip where there are several; by default all frames are one clip's. `label`: of the
    values. Raises `ValueError` for a map of another shape, or of no whole number of clips.
    """
    if values.ndim != 3 or values.shape[1:] != (1, 1) or not len(values):
        raise ValueError(f"over_time: values has shape {tuple(values.shape)}, a temporal map is (frame, 1, 1).")
    length = len(values) if segments is None else segments
    if length < 1 or len(values) % length:
        raise ValueError(f"over_time: values has {len(values)} frames, which are no clips of segments={segments}.")
    figure = blank(8, 2)
    axes = figure.add_axes((0.08, 0.24, 0.9, 0.7))
    for clip in values.detach().to("cpu", torch.float32).reshape(-1, length):
        axes.stairs(clip.tolist(), range(length + 1), baseline=None, linewidth=2)
    axes.set(xlim=(0, length), ylim=(-0.02, 1.02), xlabel="segment", ylabel=label)
    return figure
