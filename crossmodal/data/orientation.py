"""Orientation of decoded pictures: the display matrix of a film, mirrors included."""

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

    Args:
        frame: The picture.
        file: The video file that it is of, for errors.

    Raises:
        ValueError: If FFmpeg cannot convert its colour space.
    """
    try:
        pixels: Any = frame.to_ndarray(format="rgb24")
    except need("av", "read_clip").FFmpegError as error:
        space = int(frame.colorspace)
        raise ValueError(
            f"read_clip: a picture of {file} cannot be converted to RGB ({error.strerror}): it is {frame.format.name} "
            f"in the colour space {space} ({COLOUR_SPACES.get(space, 'unknown')}). Convert the film to BT.709."
        ) from error
    pixels = turned(pixels, quarter_turn(display_matrix(frame)))
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


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
