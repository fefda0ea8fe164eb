"""Drawings of maps without a place in an image: over channels, and over the segments of a clip."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .canvas import Limits, colour_bar, drawn_as, new_figure, value_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_channels(values: Tensor, *, limits: Limits = (0.0, 1.0), label: str = "map") -> "Figure":
    """Draws a channel map: bars for one frame, a heat map with one row for each frame for several.

    Args:
        values: A map `(frame, 1, channel)`.
        limits: Values at both ends of the scale; `None` for the minimum and the maximum of the map.
        label: Written beside the scale.

    Raises:
        ValueError: If the map has another shape.
    """
    if values.ndim != 3 or values.shape[1] != 1 or not values.numel():
        raise ValueError(
            f"over_channels: values has shape {tuple(values.shape)}, a channel map is (frame, 1, channel)."
        )
    heat = values.detach()[:, 0].to("cpu", torch.float32)
    low, high = value_range(heat, limits)
    if len(heat) == 1:
        figure = new_figure(8, 2)
        axes = figure.add_axes((0.08, 0.24, 0.9, 0.7))
        axes.bar(range(heat.shape[1]), heat[0].tolist(), width=1)
        axes.set(xlim=(-0.5, heat.shape[1] - 0.5), ylim=(low, high), xlabel="channel", ylabel=label)
        return figure
    height = 0.9 + 0.16 * len(heat)
    figure = new_figure(8, height)
    axes = figure.add_axes((0.08, 0.75 / height, 0.9, 0.16 * len(heat) / height))
    label, opacity = drawn_as(heat, label, 1.0)
    style: dict[str, Any] = {"vmin": low, "vmax": high, "cmap": "inferno", "alpha": opacity, "interpolation": "nearest"}
    image = axes.imshow(heat.numpy(), aspect="auto", **style)
    axes.set(xlabel="channel", ylabel="frame")
    colour_bar(figure, image, label)
    return figure


def over_time(values: Tensor, *, segments: int | None = None, label: str = "map") -> "Figure":
    """Draws a temporal map as a step line over segments, one line for each clip.

    Args:
        values: A map `(frame, 1, 1)`.
        segments: Segments of a clip; `None` if all frames belong to one clip.
        label: Written beside the scale.

    Raises:
        ValueError: If the map has another shape, or its frames are no whole number of clips.
    """
    if values.ndim != 3 or values.shape[1:] != (1, 1) or not len(values):
        raise ValueError(f"over_time: values has shape {tuple(values.shape)}, a temporal map is (frame, 1, 1).")
    length = len(values) if segments is None else segments
    if length < 1 or len(values) % length:
        raise ValueError(f"over_time: values has {len(values)} frames, which are no clips of segments={segments}.")
    figure = new_figure(8, 2)
    axes = figure.add_axes((0.08, 0.24, 0.9, 0.7))
    for clip in values.detach().to("cpu", torch.float32).reshape(-1, length):
        axes.stairs(clip.tolist(), range(length + 1), baseline=None, linewidth=2)
    axes.set(xlim=(0, length), ylim=(-0.02, 1.02), xlabel="segment", ylabel=label)
    return figure
