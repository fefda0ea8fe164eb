"""Figure of masks: frames, true and predicted masks, both over the frames, and the sound below."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .canvas import new_figure
from .frames import grey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOUND, MISSED, WRONG = (0.0, 0.62, 0.45), (0.94, 0.89, 0.26), (0.84, 0.37, 0.0)
"""Green, yellow and red: pixels of the true mask that were found and missed, and predicted ones outside of it."""
PANEL, LINE, HEAD, FOOT = 1.15, 0.24, 0.26, 0.9
"""Inches: a panel's side, a line of words above a row, the titles, the sound."""


def mask_figure(
    frames: Tensor,
    wave: Tensor,
    probability: Tensor,
    *,
    truth: tuple[Tensor, Tensor] | None = None,
    start: int = 0,
) -> "Figure":
    """Draws rows of panels, one for each second: the frame, its true mask, the prediction, both overlaid, the sound.

    Args:
        frames: `(segment, 3, height, width)`, RGB in [0, 1].
        wave: `(segment, sample)`.
        probability: `(segment, rows, columns)` in [0, 1].
        truth: True masks and which of them are known, `(segment, rows, columns)` and `(segment,)`.
        start: First second, for the titles.
    """
    images = frames.cpu().float().permute(0, 2, 3, 1)
    size = images.shape[1:3]
    found = fitted(probability, size)
    rows: list[tuple[str, Tensor, str | None]] = [("frames", images, None)]
    true = None
    if truth is not None:
        true = fitted(truth[0].float(), size) * truth[1].cpu().view(-1, 1, 1)
        unknown = "" if truth[1].all() else " (black where it is not known)"
        rows.append((f"true masks{unknown}", true, "gray"))
    rows.append(("probability that a pixel sounds", found, "magma"))
    rows.append((overlay_label(true), torch.stack([*overlaid(images, found, true)]), None))
    count = len(images)
    height = HEAD + len(rows) * (LINE + PANEL) + LINE + FOOT
    figure, top = new_figure(PANEL * count, height), height - HEAD
    for panel in range(count):
        middle = (panel + 0.5) / count
        figure.text(middle, 1 - 0.5 * HEAD / height, f"{start + panel} s", fontsize=9, ha="center", va="center")
    for label, values, colours in rows:
        figure.text(0.003, (top - 0.55 * LINE) / height, label, fontsize=9, va="center")
        top -= LINE + PANEL
        for panel, image in enumerate(values):
            axes = figure.add_axes((panel / count, top / height, 0.96 / count, PANEL * 0.96 / height))
            axes.imshow(image.numpy(), vmin=0, vmax=1, cmap=colours)  # limits and colours have no effect on RGB
            axes.set_axis_off()
    figure.text(0.003, (top - 0.55 * LINE) / height, "sound", fontsize=9, va="center")
    axes = figure.add_axes((0, 0, 1, FOOT / height))
    low, high = envelope(wave.detach().cpu().float())
    axes.fill_between(np.arange(len(low)), low, high, linewidth=0, color="0.35")
    axes.set(xlim=(0, len(low)), ylim=(-1, 1))
    axes.set_axis_off()
    return figure


def overlay_label(true: Tensor | None) -> str:
    """Returns what the colours of the overlay mean."""
    return "predicted mask" if true is None else "found (green), missed (yellow), wrong (red)"


def overlaid(images: Tensor, found: Tensor, true: Tensor | None = None, *, opacity: float = 0.6) -> list[Tensor]:
    """Paints masks over grey frames.

    Args:
        images: `(segment, height, width, 3)` in [0, 1].
        found: Probability `(segment, height, width)`.
        true: True masks of the same shape; without them, all that is predicted is green.
        opacity: Of the colours.
    """
    predicted = found > 0.5
    real = predicted if true is None else true > 0.5
    painted = grey(images).clone()
    for colour, mask in ((FOUND, predicted & real), (MISSED, ~predicted & real), (WRONG, predicted & ~real)):
        painted[mask] = (1 - opacity) * painted[mask] + opacity * torch.tensor(colour)
    return list(painted)


def fitted(masks: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resizes masks `(segment, rows, columns)` to frames of `size` pixels."""
    return F.interpolate(masks.detach().cpu().float()[None], tuple(size), mode="bilinear", align_corners=False)[0]


def envelope(wave: Tensor, *, points: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and highest samples of a wave `(segment, sample)`, at `points` places a second."""
    parts = wave[:, : wave.shape[1] // points * points].unflatten(1, (points, -1))
    largest = parts.abs().max().clamp(min=1e-6)
    low, high = ((values / largest).flatten().numpy() for values in (parts.amin(2), parts.amax(2)))
    return low, high
