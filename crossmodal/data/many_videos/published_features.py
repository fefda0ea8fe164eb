"""AVE's features as its authors extracted them: 16 frames a second averaged after VGG-19, VGGish of every second."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from crossmodal.shapes import shaped

from ..clip import Preprocess
from ..decoding import Timed, decoded, promised_end
from ..film_readers import SLACK
from ..orientation import upright
from ..video import Sound, check_whole, read_sound
from ..wave import resample

SECONDS, EACH, SIDE = 10, 16, 224
TOLERANCE = Fraction(1, 2)  # s: the published frames are spread over films that are a little shorter or longer


class SegmentFeatures(NamedTuple):
    """Features of one video, a row per second."""

    visual: Float[Tensor, "segment token channel"]
    audio: Float[Tensor, "segment width"]


@torch.no_grad()
def published_features(
    file: str | Path,
    visual: Callable[[Tensor], Tensor],
    audio: Callable[[Tensor], Tensor],
    preprocess: Preprocess,
    *,
    seconds: int = SECONDS,
) -> SegmentFeatures:
    """Extracts the features of a video as AVE's were.

    With the extractors of `frozen_features("vgg19", "vggish", …).inputs` and their weights, these are the rows of the
    published files, but for the decoder, the rounding of the resized frames and the resampler (soxr for resampy).

    As published, all frames of a film of that length, up to half a second more or less, are spread over its seconds by
    their number, whatever their times. Of a longer film the first `seconds` are taken, of sound and picture. A film
    whose sound starts later than its picture is silent until then; the authors' scripts did not look at that.

    Args:
        file: A video; its frames are held, resized.
        visual: Frames `(frame, 3, size, size)` → `(frame, token, channel)`.
        audio: Seconds `(segment, sample)` → `(segment, width)`.
        preprocess: Normalisation of the frames and rate of the sound.
        seconds: Seconds of the clip.

    Raises:
        ValueError: If the pictures do not cover the seconds, or are fewer than they, or as `read_clip`.
        FileNotFoundError: If there is no such file.
    """
    path = Path(file)
    sound, pictures = read_sound(path, seconds), list(pictures_until(path, seconds, preprocess.size))
    origin = min(sound.start, pictures[0].start)
    promised = promised_end(path)
    check_whole(path, max(sound.end, pictures[-1].end), promised and min(promised, origin + seconds))
    frames = [timed.frame for timed in spread_pictures(path, pictures, origin, seconds)]
    rows = frame_rows(len(frames), seconds)
    tokens = [visual(torch.stack([preprocess.image(frames[at]) for at in of_second])).mean(0) for of_second in rows]
    return SegmentFeatures(torch.stack(tokens), audio(sound_seconds(sound, origin, seconds, preprocess.rate)))


def pictures_until(file: Path, seconds: int, size: int) -> Iterator[Timed]:
    """Yields the pictures of a film, resized, up to the first that shows it to be longer than `seconds`."""
    start: Fraction | None = None
    for timed in decoded(file, "video"):
        start = timed.start if start is None else start
        yield timed._replace(frame=resized(upright(timed.frame, file), size))
        if timed.start > start + seconds + TOLERANCE:
            return


def spread_pictures(file: Path, pictures: Sequence[Timed], origin: Fraction, seconds: int) -> Sequence[Timed]:
    """Returns the pictures that are spread over the seconds of a film: all, or of a longer film those of its start.

    Args:
        file: The film, for the error.
        pictures: All of them.
        origin: Second of the file's clock from which seconds are counted.
        seconds: Seconds that are wanted.

    Raises:
        ValueError: If they begin more than half a second later or end earlier than they should, or are too few.
    """
    first, end = pictures[0].start - origin, pictures[-1].end - origin
    if end > seconds + TOLERANCE:
        pictures = [timed for timed in pictures if timed.start < origin + seconds]
    if first > TOLERANCE or end < seconds - TOLERANCE or len(pictures) < seconds:
        raise ValueError(
            f"published_features: {file} has {len(pictures)} pictures from {float(first):.2f} to {float(end):.2f} s, "
            f"expected one a second or more from 0 to seconds={seconds}: give a film of that length."
        )
    return pictures


def frame_rows(frames: int, seconds: int = SECONDS, each: int = EACH) -> list[list[int]]:
    """Returns the frames that every second averages: `each` of them, evenly from its start.

    Args:
        frames: Frames of the video.
        seconds: Seconds that it is cut into.
        each: Frames of a second; where it has fewer, some are taken twice.
    """
    step = frames // seconds
    return [[int(second * step + at / each * step) for at in range(each)] for second in range(seconds)]


@shaped
def resized(image: Tensor, size: int = SIDE) -> Tensor:
    """Resizes a picture in 0…255 as OpenCV does by default: bilinear, not antialiased, without keeping the aspect.

    Args:
        image: `(3, row, column)`.
        size: Side of the result.
    """
    values = F.interpolate(image[None].float(), (size, size), mode="bilinear", align_corners=False)
    return values[0].round().to(image.dtype)


def sound_seconds(sound: Sound, origin: Fraction, seconds: int, rate: int) -> Tensor:
    """Returns the sound of a video, second by second, each resampled by itself: `(segment, sample)`.

    It is rounded to 16 bits, as in the wave files of the authors. Where it ends early, their scripts fail; here zeros
    follow.

    Args:
        sound: The sound.
        origin: Second of the file's clock from which seconds are counted.
        seconds: Seconds that are wanted.
        rate: Samples per second of the result.
    """
    late = sound.start - origin
    # a few milliseconds are how an encoder writes its delay: the authors' wave files begin with the first sample
    lead = round(late * sound.rate) if late > SLACK else 0
    wave = F.pad((sound.wave * 32_768).round().clamp(-32_768, 32_767), (lead, 0))[: seconds * sound.rate] / 32_768
    wave = F.pad(wave, (0, seconds * sound.rate - len(wave))).view(seconds, sound.rate)
    return torch.stack([resample(second, sound.rate, rate) for second in wave])
