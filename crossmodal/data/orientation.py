"""Decoded pictures as they are shown: turned and mirrored by the display matrix of a film, and over black by alpha."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .extras import need

if TYPE_CHECKING:
    import av

UPRIGHT = np.eye(2, dtype=np.int64)
TURNS = [
    np.array(rows)
    for signs in product((1, -1), repeat=2)
    for rows in ([[signs[0], 0], [0, signs[1]]], [[0, signs[0]], [signs[1], 0]])
]
"""The eight quarter turns and mirrors; the first one leaves a picture as it is."""

TILTED = 0.02
"""A display matrix that is further than this from a quarter turn, about one degree, is said to be tilted."""


COLOUR_SPACES = {
    8: "YCgCo",
    10: "BT.2020 of constant luminance",
    11: "SMPTE ST 2085",
    12: "derived from chromaticities, of non-constant luminance",
    13: "derived from chromaticities, of constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
"""Number of a colour space in H.273 → its name, of those that FFmpeg's scaler does not know."""


def upright(frame: "av.VideoFrame", file: Path) -> Tensor:
    """Returns a decoded picture as RGB in 0…255, `(3, height, width)`, turned and mirrored as its metadata ask for.

    What is transparent is black: the colour that is stored there is not meant to be seen, and players show none of it.

    Args:
        frame: The picture.
        file: The video file that it is of, for errors.

    Raises:
        ValueError: If FFmpeg cannot convert its colour space.
    """
    try:
        pixels: Any = frame.to_ndarray(format="rgb24")
        if has_alpha(frame):
            alpha: Any = frame.to_ndarray(format="rgba")[..., 3]
            pixels = over_black(pixels, alpha)
    except need("av", "read_clip").FFmpegError as error:
        space = int(frame.colorspace)
        raise ValueError(
            f"read_clip: a picture of {file} cannot be converted to RGB ({error.strerror}): it is {frame.format.name} "
            f"in the colour space {space} ({COLOUR_SPACES.get(space, 'unknown')}). Convert the film to BT.709."
        ) from error
    pixels = turned(pixels, quarter_turn(display_matrix(frame)))
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def has_alpha(frame: "av.VideoFrame") -> bool:
    """Returns whether the pixels of a picture may be transparent, as those of a palette may."""
    return frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)


def over_black(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns a picture `(row, column, 3)` over black; the very same where nothing of it is transparent.

    Args:
        pixels: Its colours, not yet multiplied by alpha.
        alpha: Opacity of every pixel, 255 where it is opaque.
    """
    if (alpha == 255).all():
        return pixels
    return np.asarray((pixels * (alpha[..., None] / 255)).round().astype(np.uint8))


def display_matrix(frame: "av.VideoFrame") -> NDArray[np.float64]:
    """Returns the matrix that takes `(x, y)`, as a row, from the stored picture to the shown one, of length 1.

    FFmpeg keeps nine numbers, row by row; those that move or project the picture as a whole are left out, as is a
    scale: pictures are resized in any case. A matrix of zeros, which some writers leave, is that of an upright picture.
    """
    from av.sidedata import sidedata

    # not frame.side_data, which ties a knot of references: a forked process that collects it waits for ever for the
    # threads of a decoder that it does not have
    container: Any = sidedata.SideDataContainer
    found = container(frame).get(sidedata.Type.DISPLAYMATRIX)
    if found is None:
        return UPRIGHT.astype(np.float64)
    matrix = np.frombuffer(found, np.int32)[:9].reshape(3, 3)[:2, :2].astype(np.float64)
    length = np.sqrt((matrix**2).sum() / 2)
    return matrix / length if length else UPRIGHT.astype(np.float64)


def quarter_turn(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the nearest of the eight matrices of `TURNS`."""
    return max(TURNS, key=lambda turn: (turn * matrix).sum())


def tilt(matrix: NDArray[np.float64]) -> float:
    """Returns by how many degrees a display matrix is off the quarter turn that is applied; 0 for less than one."""
    overlap = float((quarter_turn(matrix) * matrix).sum() / 2)
    return float(np.degrees(np.arccos(min(overlap, 1.0)))) if overlap < np.cos(TILTED) else 0.0


def turned(pixels: NDArray[np.uint8], turn: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns a picture `(row, column, …)` turned by one of `TURNS`."""
    ((a, b), (c, d)) = turn.tolist()  # shown x = a·x + c·y, shown y = b·x + d·y
    if b:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: b or d, :: a or c]
