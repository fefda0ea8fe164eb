"""Sound from WAV files of plain PCM, without a decoder library."""

import wave
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped
from .wave import resample

SPARE = 0.1
"""Seconds by which a file may be longer, which are cut, or shorter, which are silent."""
WIDTHS = {2: "<i2", 4: "<i4"}
"""Bytes of a sample → how it is stored."""


@shaped
def read_wav(file: Path, seconds: int, rate: int) -> Float[Tensor, "segment sample"]:
    """Reads a sound of `seconds` seconds, mixed to mono and resampled.

    Args:
        file: WAV file of 16- or 32-bit PCM, of any rate and channels.
        seconds: Seconds that it must hold, to a tenth.
        rate: Samples per second of the result.

    Raises:
        ValueError: If it is no such file, or of another length.
    """
    try:
        with wave.open(str(file), "rb") as opened:
            stored, channels, width = opened.getframerate(), opened.getnchannels(), opened.getsampwidth()
            content = opened.readframes(opened.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"read_wav: {file} is no WAV file of PCM ({error}): convert it to 16-bit PCM.") from error
    if stored < 1:
        raise ValueError(f"read_wav: {file} says that it has {stored} samples a second: extract it again.")
    if width not in WIDTHS:
        raise ValueError(
            f"read_wav: {file} has samples of {8 * width} bits, expected 16 or 32: convert it to 16-bit PCM."
        )
    samples = np.frombuffer(content[: len(content) // (width * channels) * width * channels], WIDTHS[width])
    mono = torch.from_numpy(
        samples.reshape(-1, channels).mean(axis=1, dtype=np.float64) / 2.0 ** (8 * width - 1)
    ).float()
    lasts = len(mono) / stored
    if abs(lasts - seconds) > SPARE:
        raise ValueError(
            f"read_wav: {file} lasts {lasts:.2f} s, expected {seconds} s: cut it to the clip, or extract it again."
        )
    sound = resample(mono, stored, rate)[: seconds * rate]
    return torch.nn.functional.pad(sound, (0, seconds * rate - len(sound))).view(seconds, rate)
