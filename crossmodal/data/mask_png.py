"""Frames and masks stored as PNG."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ..shapes import shaped
from .orientation import over_black

if TYPE_CHECKING:
    from PIL.Image import Image

ONE_CHANNEL = ("1", "L", "P")
COLOURED = ("RGB", "RGBA")
HALF_WHITE = 128
"""Grey masks with smooth edges reach white; of values below this more than two are numbers of something."""
SIGNATURE, END, HEADER, TAIL = b"\x89PNG\r\n\x1a\n", b"IEND", 26, 1024
"""Of a PNG: first bytes, name of the last chunk, bytes up to the kind of colour, bytes in which the end is sought."""
GREY, GREY_WITH_ALPHA = 0, 4
"""Kinds of colour in the header of a PNG."""
MOST_CLASSES = 32
"""Values up to this beside white alone are numbers of classes rather than amounts of an edge."""
IGNORED = 255
"""Value of the pixels that a data set of numbered classes leaves out of its scores, as PASCAL VOC and Cityscapes do."""
VOC_IGNORED = (224, 224, 192)
"""Colour of that value in the palette of PASCAL VOC."""
_CLASSES = (
    "read_mask_png: {file} numbers classes and marks ignored pixels with 255, as PASCAL VOC does (it holds {held}): "
    "save what sounds as 255 and all else as 0."
)
ONE_SHADE = 32
"""Values without a dark one among them that lie at most this far apart are one value that was compressed."""


@shaped
def read_frame_png(file: Path) -> UInt8[Tensor, "3 height width"]:
    """Decodes a frame stored as PNG; grey and palette pictures become RGB, and what is transparent black.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole PNG, or its values do not fit in 8 bits.
    """
    picture = _opened(file, "frame")
    if picture.mode.startswith(("I", "F")):  # converted, all that is brighter than 255 of 65,535 would be white
        raise ValueError(f"read_frame_png: {file} has the mode {picture.mode!r}: save it as an 8-bit PNG.")
    pixels = np.array(picture.convert("RGB"))
    if picture.mode in ("LA", "RGBA", "PA") or "transparency" in picture.info:
        pixels = over_black(pixels, np.array(picture.convert("RGBA"))[..., 3])
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


@shaped
def read_mask_png(file: Path, size: int) -> Bool[Tensor, "size size"]:
    """Reads a mask: a pixel belongs to it where its value lies above half the file's largest one.

    So values of 0 and 1, of 0 and 255, and indices of a palette of two colours say the same. Of colours the brightest
    channel counts, and what is transparent does not belong to the mask; where all is black, what is opaque does. Where
    colours number objects, every one but black is an object: those of a palette, whose background is index 0 where no
    pixel is black, and without a palette more than two in more than one hue. One of another size is resized to the
    nearest pixels.

    Args:
        file: PNG of one channel (modes `1`, `L`, `P`) or of colours (`RGB`, `RGBA`).
        size: Height and width of the result.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole PNG, of another mode, of small grey values that may number several objects, of
            numbered classes beside 255, which marks ignored pixels, or of different values of which none is dark.
    """
    picture = _opened(file, "mask")
    if picture.mode not in (known := (*ONE_CHANNEL, *COLOURED)):
        raise ValueError(
            f"read_mask_png: {file} has the mode {picture.mode!r}, expected one of {', '.join(known)}: save it as "
            "an 8-bit PNG."
        )
    inside = torch.from_numpy(_of_colours(picture, file) if picture.mode in COLOURED else _of_values(picture, file))
    if inside.shape == (size, size):
        return inside
    rows, columns = ((torch.arange(size) * side) // size for side in inside.shape)
    return inside[rows][:, columns]


def look_at_png(file: Path, what: str) -> tuple[int, int]:
    """Checks header and end of a PNG, and decodes it only where its end is not found; returns height and width.

    Args:
        file: The file.
        what: `"frame"` or `"mask"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole PNG, or of a mode that is refused when it is read.
    """
    if not file.is_file():
        return _opened(file, what).size  # which says so
    with file.open("rb") as content:
        head = content.read(HEADER)
        content.seek(max(0, file.stat().st_size - TAIL))
        ends = END in content.read()
    if not ends or not head.startswith(SIGNATURE) or len(head) < HEADER:
        _opened(file, what)
    width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
    depth, kind = head[24], head[25]
    if (kind == GREY and depth == 16) or (kind == GREY_WITH_ALPHA and what == "mask"):
        raise ValueError(
            f"AVSBench: the {what} {file} has {depth} bits of grey{' with alpha' * (kind == GREY_WITH_ALPHA)}: save it "
            "as an 8-bit PNG."
        )
    return height, width


def _of_values(picture: "Image", file: Path) -> np.ndarray:
    """Returns which pixels belong to a mask of one channel."""
    if picture.mode == "P":
        return _of_indices(picture, file)
    values = np.asarray(picture)
    return _of_greys(values, file) if picture.mode == "L" and len(np.unique(values)) > 2 else _bright(values, file)


def _of_indices(picture: "Image", file: Path) -> np.ndarray:
    """Returns which pixels belong to a mask with a palette.

    Its order says little: a program that saves few colours writes it, as often as not with white in front.
    """
    indices = np.asarray(picture)
    used, palette = np.unique(indices), np.asarray(picture.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    if len(used) > 2 and (palette == palette[:, :1]).all():  # greys are amounts
        return _of_greys(np.asarray(picture.convert("L")), file)
    if len(used) > 2 and used[-1] == IGNORED < len(palette) and tuple(palette[IGNORED]) == VOC_IGNORED:
        raise ValueError(_CLASSES.format(file=file, held=f"the indices {', '.join(map(str, used))}"))
    black = [index for index in used if index < len(palette) and not palette[index].any()]
    return np.asarray(indices != (black[0] if black and palette[0].any() else 0))


def _of_colours(picture: "Image", file: Path) -> np.ndarray:
    """Returns which pixels belong to a mask of colours, of which those that are transparent are black."""
    pixels = np.asarray(picture)
    opaque = pixels[..., 3:] > 127 if picture.mode == "RGBA" else np.ones((1, 1, 1), dtype=bool)
    pixels = pixels[..., :3] * opaque
    if picture.mode == "RGBA" and not pixels.any() and not opaque.all():  # painted in black: alpha is the mask
        return np.asarray(opaque[..., 0])
    values, colours = pixels.max(axis=2), np.unique(pixels.reshape(-1, 3), axis=0)
    if len(colours) <= 2:
        return _bright(values, file, colours)
    if (colours == colours[:, :1]).all():
        return _of_greys(values, file)
    numbered = not colours[0].any() and not _is_one_hue(colours[1:].astype(np.float64))  # sorted: black is the first
    if numbered and (ignored := (colours == VOC_IGNORED).all(axis=1)).any() and not (colours[~ignored] % 64).any():
        raise ValueError(_CLASSES.format(file=file, held=f"the colour {VOC_IGNORED}"))
    return np.asarray(values > 0) if numbered else _bright(values, file, colours)


def _of_greys(values: np.ndarray, file: Path) -> np.ndarray:
    """Returns which pixels of more than two grey values belong to a mask with smooth edges."""
    if (largest := int(values.max())) < HALF_WHITE:
        raise ValueError(
            f"read_mask_png: {file} holds grey values of 0 to {largest}, more than two of them: if they number "
            "objects or classes, save those that sound as 255; if they are a black picture that was compressed, "
            "save zeros."
        )
    small = (values > 0) & (values != IGNORED)
    if largest == IGNORED and values[small].max() <= MOST_CLASSES and _is_solid(small):
        held = ", ".join(map(str, np.unique(values)))
        raise ValueError(_CLASSES.format(file=file, held=f"the values {held}"))
    return _bright(values, file)


def _is_solid(inside: np.ndarray) -> bool:
    """Returns whether an area has an interior: a square of three pixels a side. The smooth edge of an object has none.

    Args:
        inside: Pixels of the area.
    """
    whole = inside[:-2] & inside[1:-1] & inside[2:]
    return bool((whole[:, :-2] & whole[:, 1:-1] & whole[:, 2:]).any())


def _bright(values: np.ndarray, file: Path, colours: np.ndarray | None = None) -> np.ndarray:
    """Returns which pixels lie above half the largest value.

    Args:
        values: Brightness of every pixel.
        file: Named where it is refused.
        colours: Colours of the file `(colour, channel)`; the values by default.
    """
    shades = values.reshape(-1, 1) if colours is None else colours
    spread = int((shades.max(axis=0).astype(int) - shades.min(axis=0)).max())
    inside = values.astype(np.float32) > values.max() / 2
    if inside.all() and spread > ONE_SHADE:  # background and objects alike would belong to it
        held = f"values of {values.min()} to {values.max()}" if colours is None else f"{len(colours)} bright colours"
        raise ValueError(
            f"read_mask_png: {file} holds nothing dark, but {held}: save what sounds as 255 and all else as 0."
        )
    return np.asarray(inside)


def _is_one_hue(colours: np.ndarray) -> bool:
    """Returns whether colours `(colour, 3)` are shades of one, as the smooth edge of an object has them."""
    brightest = colours[colours.sum(axis=1).argmax()]
    shades = colours @ brightest / (brightest @ brightest)
    return bool((abs(colours - shades[:, None] * brightest) <= 1).all())  # shades are rounded to whole numbers


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
