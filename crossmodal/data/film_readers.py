"""Readers of a film's sound and of its pictures, bit by bit, each as its time stamps place it."""

import logging
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from .decoding import Timed, decoded
from .orientation import display_matrix, tilt
from .wave import LOUDEST

if TYPE_CHECKING:
    import av

logger = logging.getLogger("crossmodal")

HALF = Fraction(1, 2)
SLACK = Fraction(1, 20)  # s: encoders round both ends of a stream to whole frames


class SoundReader:
    """Reads a file's sound bit by bit, as its time stamps place it.

    Holes of more than 50 ms become silence; where the samples come to more than 50 ms behind their stamps, as from a
    recorder with two clocks or at a joint, the surplus is cut. So sound and picture never part by more.
    """

    def __init__(self, file: Path):
        """Decodes the first frame.

        Args:
            file: The video file.

        Raises:
            ValueError: As `decoded` does.
        """
        self._file, self._frames = file, decoded(file, "audio")
        self._next: Timed | None = next(self._frames)
        self.start, self.rate = self._next.start, self._next.frame.sample_rate
        self.length = 0
        self._parts: list[NDArray[np.float32]] = []

    @property
    def end(self) -> Fraction:
        """Returns the second that reading has reached."""
        return self.start + Fraction(self.length, self.rate)

    @property
    def reached(self) -> Fraction:
        """Returns the second up to which the sound is known: that of the next frame behind a hole."""
        return self.end if self._next is None else max(self.end, self._next.start)

    def read(self, until: Fraction | None) -> None:
        """Decodes up to a second of the file's own clock, and the frame that holds it; `None` decodes all.

        Raises:
            ValueError: As `decoded` does, and as `advance` does.
        """
        while self._next is not None and (until is None or self._next.start <= until):
            self.advance()

    def advance(self) -> bool:
        """Reads the next frame; returns whether there was one.

        Raises:
            ValueError: As `decoded` does; if the sample rate changes; if samples are not finite, or are integers by
                their size, as in a stored wave.
        """
        if self._next is None:
            return False
        start, _, frame = self._next
        if frame.sample_rate != self.rate:
            raise ValueError(
                f"read_clip: the sound of {self._file} changes from {self.rate} to {frame.sample_rate} samples a "
                f"second at {float(start):.2f} s: convert it to one rate."
            )
        samples, hole = mono(frame), round((start - self.start) * self.rate) - self.length
        self._check_loudness(samples, start)
        if hole > SLACK * self.rate:
            samples = np.concatenate([np.zeros(hole, np.float32), samples])
        elif -hole > SLACK * self.rate:
            samples = samples[-hole:]
        self._parts.append(samples)
        self.length += len(samples)
        self._next = next(self._frames, None)
        return True

    def _check_loudness(self, samples: NDArray[np.float32], start: Fraction) -> None:
        """Raises `ValueError` where samples are no sound, at the second of the first one."""
        loud = np.abs(samples)
        if loud.max(initial=0) <= LOUDEST:  # NaN is not
            return
        at = float(start) + int((~(loud <= LOUDEST)).argmax()) / self.rate
        if not np.isfinite(samples).all():
            raise ValueError(
                f"read_clip: the sound of {self._file} holds NaN or infinite samples at {at:.2f} s: export it again, "
                "as 16-bit PCM."
            )
        raise ValueError(
            f"read_clip: the sound of {self._file} holds samples up to {loud.max():.6g} at {at:.2f} s, expected "
            "floating samples in [-1, 1]: of 16-bit integers, divide them by 32768 before they are written as floats."
        )

    def held(self, forget: int = 0) -> Tensor:
        """Returns the samples that were read and not forgotten; forgets so many of them first."""
        self._parts = [np.concatenate([np.zeros(0, np.float32), *self._parts])[forget:].copy()]
        return torch.from_numpy(self._parts[0])


class PictureReader:
    """Reads a file's pictures one after the other, and yields those on screen at given moments of each second.

    Seconds are counted from `origin`, the first picture or the start of the sound, whichever is earlier.
    """

    def __init__(self, file: Path, sound_start: Fraction):
        """Decodes the first picture.

        Args:
            file: The video file.
            sound_start: Second of the file's own clock at which its sound starts.

        Raises:
            ValueError: As `decoded` does.
        """
        self._frames = decoded(file, "video")
        self._first = next(self._frames)
        self.origin = min(self._first.start, sound_start)
        self.end = self._first.start
        self._tell_tilt(file)

    def middles(self, most: int | None = None) -> Iterator[Any]:
        """Yields the picture on screen in the middle of each second, as `shown_at` does."""
        return self.shown_at([HALF], most)

    def shown_at(self, moments: Sequence[Fraction], most: int | None = None) -> Iterator[Any]:
        """Yields the pictures on screen at moments of each second, and runs to the end of the film.

        Args:
            moments: Parts of a second, rising; each second gives as many pictures.
            most: Seconds that are wanted; decoding stops behind them. `None` wants all.

        Raises:
            ValueError: As `decoded` does.
        """
        every = ((second, self.origin + second + moment) for second in count() for moment in moments)
        (second, due), shown = next(every), self._first.frame
        for start, end, frame in chain([self._first], self._frames):
            self.end = max(self.end, start)
            while second != most and due < start:
                yield shown
                second, due = next(every)
            shown, self.end = frame, end
            if most is not None and start >= self.origin + most:
                break
        while second != most and due < self.end:
            yield shown
            second, due = next(every)

    def _tell_tilt(self, file: Path) -> None:
        if degrees := tilt(display_matrix(self._first.frame)):
            logger.warning(
                "read_clip: %s asks to be turned by an angle that is no quarter turn: the nearest one is applied, "
                "which is %.0f° off.",
                file,
                degrees,
            )


def mono(frame: "av.AudioFrame") -> NDArray[np.float32]:
    """Returns decoded sound of any sample format as float32 in [-1, 1], the mean of its channels: `(sample,)`."""
    samples = frame.to_ndarray()
    if frame.format.is_packed:
        samples = rearrange(samples, "1 (sample channel) -> channel sample", channel=len(frame.layout.channels))
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.itemsize - 1)
        samples = samples / half - (samples.dtype.kind == "u")  # unsigned samples are centred at one half
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused by the reader
        return samples.mean(axis=0, dtype=np.float64).astype(np.float32)
