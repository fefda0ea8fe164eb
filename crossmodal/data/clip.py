"""Clips, which data sets yield and models take: one RGB frame and one second of mono sound per segment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from ..shapes import shaped


class Clip(NamedTuple):
    """Model input of one clip."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]


class FilmedClip(NamedTuple):
    """Clip of a film with several more pictures of each second, for a network that sees motion."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    pictures: Float[Tensor, "segment picture 3 row column"]


class LabelledClip(NamedTuple):
    """Clip with an event class per segment; background has the index behind the last class."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    labels: Int64[Tensor, " segment"]


AnyClip = TypeVar("AnyClip", Clip, LabelledClip)


def windows(clip: AnyClip, segments: int = 10) -> Iterator[AnyClip]:
    """Cuts a clip into windows of `segments` seconds, in order; the last one holds what is left and may be shorter.

    The windows are views of the clip's tensors, and together hold every segment once.

    Args:
        clip: A clip of any length.
        segments: Seconds of a window.

    Raises:
        ValueError: If `segments` is not positive.
    """
    if segments < 1:
        raise ValueError(f"windows: segments={segments} must be at least 1.")
    return (
        type(clip)(*(part[start : start + segments] for part in clip)) for start in range(0, len(clip.frames), segments)
    )


@dataclass(frozen=True)
class Preprocess:
    """Size, rate and normalisation that a model wants of its clips.

    Attributes:
        size: Height and width of a frame in pixels; frames are resized to it (bicubic, not antialiased, as the
            released transforms do on tensors; the aspect ratio is not kept).
        rate: Samples per second of the sound; readers resample to it.
        mean: Mean per RGB channel of values in [0, 1]; ImageNet's by default (spec B.0).
        std: Standard deviation per RGB channel, as `mean`.

    Raises:
        ValueError: If `size`, `rate` or an entry of `std` is not positive.
    """

    size: int = 192
    rate: int = 32_000
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Checks the values."""
        for name, value in {"size": self.size, "rate": self.rate}.items():
            if value < 1:
                raise ValueError(f"Preprocess: {name}={value} must be at least 1.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"Preprocess: mean={self.mean} and std={self.std} must hold one number for each of the three RGB "
                "channels, and std only positive ones."
            )

    @shaped
    def __call__(self, images: UInt8[Tensor, "segment 3 rows columns"], wave: Float[Tensor, "segment sample"]) -> Clip:
        """Prepares decoded frames in 0…255 and sound in [-1, 1], already at `rate`, one second per segment.

        Raises:
            ValueError: If the sound is at another rate.
        """
        if wave.shape[-1] != self.rate:
            raise ValueError(
                f"Preprocess: wave has {wave.shape[-1]} samples a segment, expected rate={self.rate}: resample it."
            )
        return Clip(torch.stack([self.image(image) for image in images]), wave)

    @shaped
    def image(self, image: UInt8[Tensor, "3 rows columns"]) -> Float[Tensor, "3 height width"]:
        """Resizes and normalises one picture in 0…255. Bicubic overshoot is kept, as on float tensors."""
        values = image[None].float() / 255
        if values.shape[-2:] != (self.size, self.size):
            # not antialiased, as the released code resizes
            values = F.interpolate(values, (self.size, self.size), mode="bicubic", align_corners=False)
        mean, std = (torch.tensor(numbers, device=image.device).view(3, 1, 1) for numbers in (self.mean, self.std))
        return (values[0] - mean) / std
