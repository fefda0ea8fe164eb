"""Reading of clips from any video file with sound: one frame per second, from its middle, and that second's sound."""

from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .clip import Clip, Preprocess
from .decoding import decoded, promised_end
from .wave import resample

if TYPE_CHECKING:
    import av

HALF = Fraction(1, 2)
SLACK = Fraction(1, 20)  # s: encoders round both ends of a stream to whole frames
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
    its second (before the first picture: the first one); rotation metadata is applied. Its sound is the plain mean of
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
        ValueError: If it is no video, is cut (saying at which second), has no sound or no picture, or is shorter than
            one second.
        ImportError: Without the extra `recipes`.
    """
    film = read_film(Path(file), lambda frame: preprocess.image(upright(frame)))
    if film.segments < 1:
        raise ValueError(
            f"read_clip: {file} has {float(film.seconds):.2f} s of sound with picture, shorter than one segment of "
            "1 s: give a longer clip."
        )
    shown = torch.stack(film.pictures.shown[: film.segments])
    return Clip(shown, film.wave(film.segments, preprocess.rate))


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
    _check_whole(file, max(sound.end, film.pictures.end), wanted)
    return film


def read_sound(file: Path, most: int | None = None) -> Sound:
    """Decodes a file's sound to mono float32; holes of more than 50 ms in its times become silence.

    Args:
        file: The video file.
        most: Seconds behind which decoding stops; a little more than them is kept. `None` decodes all.

    Raises:
        ValueError: As `decoded` does, and if the sample rate changes midway.
    """
    parts: list[NDArray[np.float32]] = []
    origin, rate, length = Fraction(0), 0, 0
    for start, _, frame in decoded(file, "audio"):
        if not parts:
            origin, rate = start, frame.sample_rate
        # behind the margin nothing is heard any more: the rest of a long file is not decoded
        if most is not None and start - origin > most + MARGIN:
            break
        if frame.sample_rate != rate:
            raise ValueError(
                f"read_clip: the sound of {file} changes from {rate} to {frame.sample_rate} samples a second at "
                f"{float(start):.2f} s: convert it to one rate."
            )
        hole = round((start - origin) * rate) - length
        silence = np.zeros(hole if hole > SLACK * rate else 0, np.float32)
        parts += [silence, mono(frame)]
        length += len(silence) + len(parts[-1])
    return Sound(origin, torch.from_numpy(np.concatenate(parts)), rate)


def read_pictures(file: Path, sound: Sound, keep: Callable[[Any], Tensor], most: int | None = None) -> Pictures:
    """Decodes a file's pictures and keeps those on screen in the middle of a second, as `keep(frame)` makes them.

    Seconds are counted from the first picture or the start of `sound`, whichever is earlier, and kept up to its end;
    with `most`, up to so many, and decoding stops behind them.

    Args:
        file: The video file.
        sound: Its sound.
        keep: Makes a tensor of a decoded picture.
        most: Seconds that are wanted; `None` wants all.

    Raises:
        ValueError: As `decoded` does.
    """
    shown: list[Tensor] = []
    origin, on_screen, last_end = sound.start, None, sound.start

    def keep_until(time: Fraction, picture: Any) -> None:
        while len(shown) != most and origin + len(shown) + HALF < (time if most else min(time, sound.end)):
            shown.append(keep(picture))

    for start, end, frame in decoded(file, "video"):
        origin = origin if on_screen else min(origin, start)  # settled by the first picture
        keep_until(start, on_screen or frame)
        on_screen, last_end = frame, end
        if most and start >= origin + most:
            break
    keep_until(last_end, on_screen)
    return Pictures(origin, shown, last_end)


def upright(frame: "av.VideoFrame") -> Tensor:
    """Returns a decoded picture as RGB in 0…255, `(3, height, width)`, turned as its metadata ask for."""
    pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def mono(frame: "av.AudioFrame") -> NDArray[np.float32]:
    """Returns decoded sound of any sample format as float32 in [-1, 1], the mean of its channels: `(sample,)`."""
    samples = frame.to_ndarray()
    if frame.format.is_packed:
        samples = rearrange(samples, "1 (sample channel) -> channel sample", channel=len(frame.layout.channels))
    if samples.dtype.kind in "iu":
        half = 2.0 ** (8 * samples.itemsize - 1)
        samples = samples / half - (samples.dtype.kind == "u")  # unsigned samples are centred at one half
    return samples.mean(axis=0, dtype=np.float64).astype(np.float32)


def _check_whole(file: Path, reached: Fraction, promised: Fraction | None) -> None:
    if promised is not None and reached + SHORTFALL < promised:
        raise ValueError(
            f"read_clip: {file} is cut: its header promises {float(promised):.2f} s, but sound and picture end at "
            f"{float(reached):.2f} s. Copy the file again."
        )
