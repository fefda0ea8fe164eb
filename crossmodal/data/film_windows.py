"""Windows of a film as they are decoded: a film of hours takes no more memory than one of minutes."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import floor
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from .clip import Clip, Preprocess
from .decoding import promised_end
from .film_readers import SLACK, PictureReader, SoundReader
from .orientation import upright
from .video import MARGIN, check_whole, too_short
from .wave import resample


def film_windows(file: str | Path, preprocess: Preprocess, segments: int = 10) -> Iterator[Clip]:
    """Yields what `windows(read_clip(file, preprocess), segments)` does, holding one window at a time.

    Damage is found where it is reached, and a cut at the end: windows that were yielded before are of a damaged film.

    Args:
        file: The video file.
        preprocess: Size, rate and normalisation that the model wants.
        segments: Seconds of a window.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As `read_clip` does, and if `segments` is not positive.
    """
    if segments < 1:
        raise ValueError(f"film_windows: segments={segments} must be at least 1.")
    promised = promised_end(Path(file))
    sound = SoundReader(Path(file))
    pictures = PictureReader(Path(file), sound.start)
    middles, waves = pictures.middles(), _Waves(sound, pictures.origin, preprocess.rate)
    shown: list[Tensor] = []
    for first in range(0, 2**62, segments):
        # one picture more than the window has: then its last second is known to be whole
        shown += [preprocess.image(upright(frame)) for frame in islice(middles, segments + 1 - len(shown))]
        sound.read(pictures.origin + first + segments + MARGIN)
        reached = min(sound.reached, pictures.end) - pictures.origin
        count = min(segments, floor(reached + SLACK) - first)
        if count > 0:
            yield Clip(torch.stack(shown[:count]), waves.window(first, count))
        if count < segments:
            break
        shown = shown[segments:]
    for _ in middles:
        pass  # to the end of the film, where a cut shows
    while sound.advance():
        waves.forget()
    check_whole(Path(file), max(sound.end, pictures.end), promised)
    if first + count < 1:
        raise too_short(file, max(reached, Fraction(0)))


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
