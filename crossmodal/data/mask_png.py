"""Frames and masks stored as PNG."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ..shapes import shaped

if TYPE_CHECKING:
    from PIL.Image import Image

ONE_CHANNEL = ("1", "L", "P")
COLOURED = ("RGB", "RGBA")


@shaped
def read_frame_png(file: Path) -> UInt8[Tensor, "3 height width"]:
    """Decodes a frame stored as PNG; grey, transparent and palette pictures become RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole PNG.
    """
    return torch.from_numpy(np.array(_opened(file, "frame").convert("RGB"))).permute(2, 0, 1).contiguous()


@shaped
def read_mask_png(file: Path, size: int) -> Bool[Tensor, "size size"]:
    """Reads a mask: a pixel belongs to it where its value lies above half the file's largest one.

    So values of 0 and 1, of 0 and 255, and indices of a palette of two colours say the same. Of colours the brightest
    channel counts, and what is transparent does not belong to the mask. One of another size is resized to the nearest
    pixels.

    Args:
        file: PNG of one channel (modes `1`, `L`, `P`) or of colours (`RGB`, `RGBA`).
        size: Height and width of the result.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole PNG, or of another mode.
    """
    picture = _opened(file, "mask")
    if picture.mode not in (known := (*ONE_CHANNEL, *COLOURED)):
        raise ValueError(
            f"read_mask_png: {file} has the mode {picture.mode!r}, expected one of {', '.join(known)}: save it as "
            "an 8-bit PNG."
        )
    values = np.asarray(picture)
    if picture.mode in COLOURED:
        opaque = values[..., 3] > 127 if picture.mode == "RGBA" else True
        values = values[..., :3].max(axis=2) * opaque
    inside = torch.from_numpy(values.astype(np.float32) > values.max() / 2)
    if inside.shape == (size, size):
        return inside
    rows, columns = ((torch.arange(size) * side) // size for side in inside.shape)
    return inside[rows][:, columns]


def write_mask(mask: Tensor) -> bytes:
    """Returns a boolean mask `(height, width)` as a PNG of 0 and 255."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask.cpu().numpy().astype(np.uint8) * 255).save(buffer, format="PNG")
    return buffer.getvalue()


def _opened(file: Path, what: str) -> "Image":
    """Decodes a PNG."""
    from PIL import Image

    if not file.is_file():
        raise FileNotFoundError(f"AVSBench: the {what} {file} is missing: download the data set again.")
    try:
        # no other format is tried: a file of another kind is an error, whatever its name
        with Image.open(file, formats=["PNG"]) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError) as error:
        raise ValueError(f"AVSBench: {file} is no readable PNG ({error}): download it again.") from error
