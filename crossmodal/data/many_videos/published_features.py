"""AVE's features as its authors extracted them: 16 frames a second averaged after VGG-19, VGGish of every second."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from crossmodal.shapes import shaped

from ..clip import Preprocess
from ..decoding import decoded
from ..orientation import upright
from ..video import read_sound
from ..wave import resample

SECONDS, EACH, SIDE = 10, 16, 224


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

    Args:
        file: A video of about `seconds` seconds; all its frames are held, resized.
        visual: Frames `(frame, 3, size, size)` → `(frame, token, channel)`.
        audio: Seconds `(segment, sample)` → `(segment, width)`.
        preprocess: Normalisation of the frames and rate of the sound.
        seconds: Seconds of the clip.

    Raises:
        ValueError: If the video has fewer frames than seconds, or as `read_clip`.
        FileNotFoundError: If there is no such file.
    """
    frames = [resized(upright(timed.frame, Path(file)), preprocess.size) for timed in decoded(Path(file), "video")]
    if len(frames) < seconds:
        raise ValueError(
            f"published_features: {file} has {len(frames)} frames, fewer than seconds={seconds}: give a longer video."
        )
    rows = frame_rows(len(frames), seconds)
    tokens = [visual(torch.stack([preprocess.image(frames[at]) for at in of_second])).mean(0) for of_second in rows]
    return SegmentFeatures(torch.stack(tokens), audio(sound_seconds(Path(file), seconds, preprocess.rate)))


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


def sound_seconds(file: Path, seconds: int, rate: int) -> Tensor:
    """Returns the sound of a video, second by second, each resampled by itself: `(segment, sample)`.

    It is rounded to 16 bits, as in the wave files of the authors. Where it ends early, their scripts fail; here zeros
    follow.

    Args:
        file: The video.
        seconds: Seconds that are wanted.
        rate: Samples per second of the result.
    """
    sound = read_sound(file, seconds)
    wave = (sound.wave * 32_768).round().clamp(-32_768, 32_767)[: seconds * sound.rate] / 32_768
    wave = F.pad(wave, (0, seconds * sound.rate - len(wave))).view(seconds, sound.rate)
    return torch.stack([resample(second, sound.rate, rate) for second in wave])
