"""Reading of clips from any video file with sound: one frame per second, from its middle, and that second's sound."""

from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .clip import Clip, Preprocess
from .decoding import promised_end
from .film_readers import HALF, SLACK, PictureReader, SoundReader
from .orientation import upright
from .wave import resample

SHORTFALL = Fraction(1, 2)  # s: a file that ends earlier than this before its header's end is cut
MARGIN = 1  # s of sound behind the last wanted second, for the resampling filter to look at


class Sound(NamedTuple):
    """Mono sound of a file, `(sample,)` at `rate`, from second `start` of the file's own clock on."""

    start: Fraction
    wave: Tensor
    rate: int

    @property
    def end(self) -> Fraction:
        """Returns the second at which it ends."""
        return self.start + Fraction(len(self.wave), self.rate)


class Pictures(NamedTuple):
    """Pictures on screen in the middle of each second from `start` on; the file's last picture ends at `end`."""

    start: Fraction
    shown: list[Tensor]
    end: Fraction


class Film(NamedTuple):
    """Sound and pictures of a file; its seconds are counted from the earlier of both starts, `pictures.start`."""

    sound: Sound
    pictures: Pictures

    @property
    def seconds(self) -> Fraction:
        """Returns for how many seconds there is both."""
        return max(min(self.sound.end, self.pictures.end) - self.pictures.start, Fraction(0))

    @property
    def segments(self) -> int:
        """Returns how many whole seconds there are; one that lacks up to 50 ms counts."""
        return floor(self.seconds + SLACK)

    def wave(self, segments: int, rate: int) -> Tensor:
        """Returns its sound at `rate`, `(segment, rate)`, silent before the sound starts and behind its end."""
        lead = round((self.sound.start - self.pictures.start) * self.sound.rate)
        # the whole sound at once: second by second, the filter would leave a seam at every border
        wave = resample(F.pad(self.sound.wave, (lead, 0)), self.sound.rate, rate)[: segments * rate]
        return F.pad(wave, (0, segments * rate - len(wave))).view(segments, rate)


def read_clip(file: str | Path, preprocess: Preprocess) -> Clip:
    """Reads a video file of any length, frame rate, sample rate and channel count: one segment per whole second.

    Time starts where the earlier of sound and picture does. A segment's frame is the one on screen in the middle of
    its second (before the first picture: the first one); metadata that turn or mirror
    it are applied. Its sound is the plain mean of
    the channels, silent before the sound starts and in its holes, resampled to `preprocess.rate`. The clip ends with
    the shorter of the two; a last second that lacks more than 50 ms of either is dropped. Of the pictures only the
    kept ones are held, already preprocessed: an hour at 192² and 32 kHz takes 2.1 GB.

    Args:
        file: The video file.
        preprocess: Size, rate and normalisation that the model wants.

    Returns:
        `Clip(frames (segment, 3, size, size), wave (segment, rate))`; `windows` cuts it into windows of ten.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video, is cut or damaged (saying at which second), has no sound or no picture, is
            shorter than one second, or holds floating samples that are not finite or far beyond [-1, 1].
        ImportError: Without the extra `recipes`.
    """
    film = read_film(Path(file), lambda frame: preprocess.image(upright(frame, Path(file))))
    if film.segments < 1:
        raise too_short(file, film.seconds)
    shown = torch.stack(film.pictures.shown[: film.segments])
    return Clip(shown, film.wave(film.segments, preprocess.rate))


def too_short(file: str | Path, seconds: Fraction) -> ValueError:
    """Returns the error for a film without a whole second."""
    return ValueError(
        f"read_clip: {file} has {float(seconds):.2f} s of sound with picture, shorter than one segment of 1 s: give a "
        "longer clip."
    )


def read_film(file: Path, keep: Callable[[Any], Tensor], most: int | None = None) -> Film:
    """Decodes a file, keeping of its pictures what `keep(frame)` makes of those in the middle of a second.

    Args:
        file: The video file.
        keep: Makes a tensor of a decoded picture.
        most: Seconds that are wanted; decoding stops behind them, so that damage further on is not seen. Pictures are
            then kept up to there even where the sound ends before. `None` wants all.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As `read_clip` does, save that any length will do.
    """
    promised = promised_end(file)
    sound = read_sound(file, most)
    film = Film(sound, read_pictures(file, sound, keep, most))
    wanted = promised if promised is None or most is None else min(promised, film.pictures.start + most)
    check_whole(file, max(sound.end, film.pictures.end), wanted)
    return film


def read_sound(file: Path, most: int | None = None) -> Sound:
    """Decodes a file's sound to mono float32, as `SoundReader` does.

    Args:
        file: The video file.
        most: Seconds behind which decoding stops; a little more than them is kept. `None` decodes all.

    Raises:
        ValueError: As `SoundReader.read` does.
    """
    reader = SoundReader(file)
    reader.read(None if most is None else reader.start + most + MARGIN)
    return Sound(reader.start, reader.held(), reader.rate)


def read_pictures(file: Path, sound: Sound, keep: Callable[[Any], Tensor], most: int | None = None) -> Pictures:
    """Decodes a file's pictures and keeps those on screen in the middle of a second, as `keep(frame)` makes them.

    They are kept up to the end of `sound`; with `most`, up to so many, and decoding stops behind them.

    Args:
        file: The video file.
        sound: Its sound.
        keep: Makes a tensor of a decoded picture.
        most: Seconds that are wanted; `None` wants all.

    Raises:
        ValueError: As `decoded` does.
    """
    reader, shown = PictureReader(file, sound.start), []
    for second, frame in enumerate(reader.middles(most)):
        if most is not None or reader.origin + second + HALF < sound.end:
            shown.append(keep(frame))
    return Pictures(reader.origin, shown, reader.end)


def check_whole(file: Path, reached: Fraction, promised: Fraction | None) -> None:
    """Checks that sound or picture reach the end that the header promises.

    Raises:
        ValueError: If they end more than half a second before.
    """
    if promised is not None and reached + SHORTFALL < promised:
        raise ValueError(
            f"read_clip: {file} is cut: its header promises {float(promised):.2f} s, but sound and picture end at "
            f"{float(reached):.2f} s. Copy the file again."
        )
