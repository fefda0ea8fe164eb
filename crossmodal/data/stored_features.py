"""Features as the published data sets store them: one `.npy` of plain floats per video, checked before it is read."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .plain_npy import map_plain_npy


def map_features(file: Path, shape: tuple[int, ...], owner: str, meant: str) -> np.ndarray:
    """Checks the header and size of a feature file and maps it, reading no numbers; it is never unpickled.

    Args:
        file: The `.npy` file.
        shape: Shape that it must have.
        owner: Name of the data set in errors.
        meant: What it should hold, in errors: `"vggish feature of a clip of 10 s"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut, pickled, not of floats, or of another shape.
    """
    stored = map_plain_npy(file, owner, "the feature file", "extract it from the video")
    if stored.shape != shape or stored.dtype.kind != "f":
        raise ValueError(
            f"{owner}: {file} holds {stored.dtype} of shape {stored.shape}, expected floats of shape {shape}: it is no "
            f"{meant}."
        )
    return stored


def as_float32(values: np.ndarray, file: Path, owner: str) -> Tensor:
    """Returns stored numbers as float32.

    Args:
        values: Numbers of a file.
        file: The file.
        owner: Name of the data set in errors.

    Raises:
        ValueError: If some are NaN or infinite, or float32 cannot hold them.
    """
    with np.errstate(over="ignore"):
        found = torch.from_numpy(np.array(values, dtype=np.float32))
    if not found.isfinite().all():
        raise ValueError(f"{owner}: {file} holds NaN or infinite values: extract it again.")
    return found
