"""Pictures as the published data sets store them: a folder a video, one JPEG a video frame, numbered from 1."""

import io
import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ..shapes import shaped

_NAME = re.compile(r"([0-9]{8})\.jpg")
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def frame_files(folder: Path, count: int) -> list[Path]:
    """Returns `count` files spread evenly over a folder `00000001.jpg`, `00000002.jpg`, …, the first to the last.

    Frame `i` of `count` is number `1 + i · (n - 1) // (count - 1)` of `n`: the released sampling, a `linspace(1, n,
    count)` truncated to whole numbers (spec B.1). A folder of fewer frames than `count` repeats some.

    Args:
        folder: Folder of the frames.
        count: How many to return.

    Raises:
        FileNotFoundError: If the folder is missing or holds no frame, or a number is missing between 1 and the last: a
            gap would shift every later frame in silence.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"frame_files: the folder {folder} is missing: extract the video's frames into it.")
    numbers = {int(match[1]) for entry in folder.iterdir() if (match := _NAME.fullmatch(entry.name))}
    if not numbers:
        raise FileNotFoundError(
            f"frame_files: {folder} holds no frame named 00000001.jpg and so on: extract them again."
        )
    last = max(numbers)
    if missing := sorted(set(range(1, last + 1)) - numbers):
        raise FileNotFoundError(
            f"frame_files: {folder} holds {len(numbers)} frames up to {last:08d}.jpg, but {len(missing)} between are "
            f"missing, the first {missing[0]:08d}.jpg: extract the video's frames again."
        )
    # in whole numbers: `linspace` may round a frame down
    return [folder / f"{1 + index * (last - 1) // max(count - 1, 1):08d}.jpg" for index in range(count)]


@shaped
def read_frames(files: list[Path]) -> UInt8[Tensor, "frame 3 height width"]:
    """Decodes JPEGs of one size.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is no whole JPEG, or the sizes differ.
    """
    pictures = [read_jpeg(file) for file in files]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise ValueError(
                f"read_frames: {file} is {_size(picture)} pixels, but {files[0].name} in the same folder is "
                f"{_size(pictures[0])}: extract the video's frames again, all of one size."
            )
    return torch.stack(pictures)


@shaped
def read_jpeg(file: Path) -> UInt8[Tensor, "3 height width"]:
    """Decodes one whole JPEG, upright where its EXIF says that it was held otherwise; grey and CMYK ones become RGB.

    A decoder paints what a cut file lacks grey, and need not complain: the end marker behind the last scan is checked
    before it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JPEG, or is cut.
    """
    from PIL import Image, ImageOps

    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"read_jpeg: the frame {file} is missing: extract the video's frames again.") from error
    if content.rfind(_END_OF_IMAGE) < content.rfind(_START_OF_SCAN):
        raise ValueError(f"read_jpeg: {file} is cut: its {len(content)} bytes lack the end marker. Extract it again.")
    try:
        # no other format is tried: a file of another kind is an error, whatever its name
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            pixels = np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise ValueError(f"read_jpeg: {file} is no readable JPEG ({error}): extract it again.") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _size(picture: Tensor) -> str:
    return f"{picture.shape[-1]} × {picture.shape[-2]}"
