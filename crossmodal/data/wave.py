"""Sound as the published data sets store it: one `.npy` of plain floats per video."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped
from .extras import need
from .plain_npy import map_plain_npy

LOUDEST = 64.0
"""Floating samples beyond it are integers of 16 bits or more, written as floats; resampling overshoots 1 by little."""


@shaped
def read_wave(file: Path, segments: int, rate: int) -> Float[Tensor, "segment sample"]:
    """Reads `segments` seconds of mono sound, stored as `segments · rate` floats, flat or `(segment, rate)`.

    The array is memory-mapped and never unpickled; float16 and float64 come back as float32.

    Args:
        file: The `.npy` file.
        segments: Seconds it must hold.
        rate: Samples per second.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut, pickled, no array, of another dtype or length, or holds values that are not finite, or
            are integers by their size.
    """
    stored = map_wave(file, segments, rate)
    # `array` copies: a tensor over a map that may only be read must not be written to
    with np.errstate(over="ignore"):  # float64 that float32 cannot hold is refused below
        wave = torch.from_numpy(np.array(stored, dtype=np.float32).reshape(segments, rate))
    if not wave.isfinite().all():
        raise ValueError(f"read_wave: {file} holds NaN or infinite samples: make it again from its video.")
    if (loudest := float(wave.abs().max())) > LOUDEST:
        raise ValueError(
            f"read_wave: {file} holds samples up to {loudest:.6g}, expected floating samples in [-1, 1]: of 16-bit "
            "integers, save wave.astype('float32') / 32768."
        )
    return wave


def map_wave(file: Path, segments: int, rate: int) -> np.ndarray:
    """Checks the header and size of a stored wave and maps it, reading no samples.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut, pickled, no array, or of another dtype or length.
    """
    remedy = "write the sound of its video with numpy.save(file, wave.astype('float32'))"
    stored = map_plain_npy(file, "read_wave", "the wave", remedy)
    if stored.dtype.kind != "f":
        raise ValueError(
            f"read_wave: {file} holds {stored.dtype}, expected floating samples in [-1, 1]: for 16-bit integers, "
            "save wave.astype('float32') / 32768."
        )
    if stored.shape not in ((segments * rate,), (segments, rate)):
        raise ValueError(
            f"read_wave: {file} has the shape {stored.shape}, expected {segments} segments of rate={rate} samples, "
            f"({segments * rate},){_other_rate(stored.size, segments)}."
        )
    return stored


def _other_rate(size: int, segments: int) -> str:
    whole = size > 0 and size % segments == 0
    return f": pass its own rate if {size // segments} is the samples a second" if whole else ": it is cut, or too long"


@shaped
def resample(wave: Float[Tensor, " sample"], rate: int, target: int) -> Float[Tensor, " resampled"]:
    """Resamples mono sound by soxr's high-quality band-limited filter.

    Args:
        wave: The sound.
        rate: Its samples per second.
        target: Samples per second of the result.

    Returns:
        `round(samples · target / rate)` samples; the same tensor where the rates agree.

    Raises:
        ImportError: Without the extra `recipes`.
    """
    if rate == target:
        return wave
    return torch.from_numpy(need("soxr", "resample").resample(wave.numpy(), rate, target))


@shaped
def resample_segments(
    wave: Float[Tensor, "segment sample"], rate: int, target: int
) -> Float[Tensor, "segment resampled"]:
    """Resamples a clip as one sound, without seams between its seconds: `(segment, rate)` → `(segment, target)`."""
    return rearrange(resample(wave.flatten(), rate, target), "(segment sample) -> segment sample", sample=target)
