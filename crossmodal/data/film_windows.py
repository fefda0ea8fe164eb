"""Windows of a film as they are decoded: a film of hours takes no more memory than one of minutes."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .clip import Clip, FilmedClip, Preprocess
from .decoding import promised_end
from .film_readers import HALF, SLACK, PictureReader, SoundReader
from .orientation import upright
from .video import MARGIN, check_whole, too_short
from .wave import resample


class MovingPictures(NamedTuple):
    """Pictures of a second that a network for motion sees.

    Attributes:
        preprocess: Size and normalisation.
        each: How many of a second, evenly spread.
    """

    preprocess: Preprocess
    each: int = 8

    @property
    def moments(self) -> list[Fraction]:
        """Returns when they are on screen: the middles of the parts of a second."""
        return [Fraction(2 * at + 1, 2 * self.each) for at in range(self.each)]


def film_windows(
    file: str | Path, preprocess: Preprocess, segments: int = 10, *, moving: MovingPictures | None = None
) -> Iterator[Clip | FilmedClip]:
    """Yields what `windows(read_clip(file, preprocess), segments)` does, holding one window at a time.

    Damage is found where it is reached, and a cut at the end: windows that were yielded before are of a damaged film.

    Args:
        file: The video file.
        preprocess: Size, rate and normalisation that the model wants.
        segments: Seconds of a window.
        moving: More pictures of every second; the windows are then `FilmedClip`s.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As `read_clip` does, and if `segments` is not positive.
    """
    if segments < 1:
        raise ValueError(f"film_windows: segments={segments} must be at least 1.")
    promised = promised_end(Path(file))
    sound = SoundReader(Path(file))
    pictures = PictureReader(Path(file), sound.start)
    second = _Second(Path(file), preprocess, moving)
    on_screen, waves = pictures.shown_at(second.moments), _Waves(sound, pictures.origin, preprocess.rate)
    shown: list[_Shown] = []
    for first in range(0, 2**62, segments):
        # one picture more than the window has: then its last second is known to be whole
        missing = segments * len(second.moments) + 1 - len(shown)
        shown += map(second.keep, islice(cycle(second.moments), len(shown), None), islice(on_screen, missing))
        sound.read(pictures.origin + first + segments + MARGIN)
        reached = min(sound.reached, pictures.end) - pictures.origin
        count = min(segments, floor(reached + SLACK) - first)
        if count > 0:
            yield second.clip(shown[: count * len(second.moments)], waves.window(first, count))
        if count < segments:
            break
        shown = shown[segments * len(second.moments) :]
    for _ in on_screen:
        pass  # to the end of the film, where a cut shows
    while sound.advance():
        waves.forget()
    check_whole(Path(file), max(sound.end, pictures.end), promised)
    if first + count < 1:
        raise too_short(file, max(reached, Fraction(0)))


class _Shown(NamedTuple):
    """A picture as it is kept: as a frame, as one of motion, or as both."""

    frame: Tensor | None
    moving: Tensor | None


class _Second:
    """Which pictures of a second of a film are kept, and as what."""

    def __init__(self, file: Path, preprocess: Preprocess, moving: MovingPictures | None):
        self.file, self.preprocess, self.moving = file, preprocess, moving
        self.moments = sorted({HALF, *(moving.moments if moving else ())})

    def keep(self, moment: Fraction, picture: Any) -> _Shown:
        """Returns the picture on screen at a moment as the models see it."""
        image = upright(picture, self.file)
        frame = self.preprocess.image(image) if moment == HALF else None
        seen = self.moving is not None and moment in self.moving.moments
        return _Shown(frame, self.moving.preprocess.image(image) if self.moving and seen else None)

    def clip(self, shown: Sequence[_Shown], wave: Tensor) -> Clip | FilmedClip:
        """Returns the clip of whole seconds."""
        frames = torch.stack([each.frame for each in shown if each.frame is not None])
        if self.moving is None:
            return Clip(frames, wave)
        moving = [each.moving for each in shown if each.moving is not None]
        # a last second that is whole but for the slack may end before its last picture
        moving += moving[-1:] * (len(frames) * self.moving.each - len(moving))
        return FilmedClip(frames, wave, torch.stack(moving).unflatten(0, (-1, self.moving.each)))


class _Waves:
    """Sound of windows, resampled with a second on both sides for the filter to look at."""

    def __init__(self, sound: SoundReader, origin: Fraction, rate: int):
        self.sound, self.rate = sound, rate
        self.lead = round((sound.start - origin) * sound.rate)  # samples of silence before the sound
        self.gone = 0  # samples that the reader has forgotten

    def window(self, first: int, count: int) -> Tensor:
        """Returns seconds from `first` on, `(segment, rate)`; sound before them is forgotten."""
        before = min(first, MARGIN)
        begin = (first - before) * self.sound.rate - self.lead
        forget = max(min(begin, self.sound.length) - self.gone, 0)
        held, self.gone = self.sound.held(forget), self.gone + forget
        at = begin - self.gone  # negative before the sound, positive in a hole that is not read yet
        samples = F.pad(held, (max(-at, 0), 0))[max(at, 0) :][: (before + count + MARGIN) * self.sound.rate]
        wave = resample(samples.contiguous(), self.sound.rate, self.rate)[before * self.rate :][: count * self.rate]
        return F.pad(wave, (0, count * self.rate - len(wave))).view(count, self.rate)

    def forget(self) -> None:
        """Forgets all sound."""
        self.sound.held(self.sound.length)
