"""Clips: what a data set yields and a model takes. One RGB frame and one second of mono sound a segment."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from ..shapes import shaped


class Clip(NamedTuple):
    """Model input of one clip."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]


class LabelledClip(NamedTuple):
    """A clip and its event class a segment; background has the index behind the last class."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    labels: Int64[Tensor, " segment"]


@dataclass(frozen=True)
class Preprocess:
    """What a model wants its clips to look like.

    - `size`: height and width of a frame in pixels; frames are resized to it (bicubic, not antialiased, as the
      released transforms do on tensors).
    - `rate`: samples a second of the sound; readers resample to it.
    - `mean`, `std`: per RGB channel, applied to values in [0, 1]. Defaults: ImageNet's (spec B.0).
    """

    size: int = 192
    rate: int = 32_000
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @shaped
    def __call__(self, images: UInt8[Tensor, "segment 3 height width"], wave: Float[Tensor, "segment sample"]) -> Clip:
        """Decoded frames in 0…255 and sound in [-1, 1], already at `rate`: one second a segment."""
        if wave.shape[-1] != self.rate:
            raise ValueError(
                f"Preprocess: wave has {wave.shape[-1]} samples a segment, expected rate={self.rate}: resample it first."
            )
        frames = images.float() / 255
        if frames.shape[-2:] != (self.size, self.size):
            frames = F.interpolate(frames, (self.size, self.size), mode="bicubic", align_corners=False)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return Clip((frames - mean) / std, wave)
