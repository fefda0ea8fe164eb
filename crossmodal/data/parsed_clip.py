"""Clips whose labels say what is heard and what is seen, second by second."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .clip import Clip


class MovingClip(NamedTuple):
    """Model input of one clip with features of motion beside frames and sound; they have width 0 where there are none.

    Systems that read features find these in the place of frames and wave.
    """

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    motion: Float[Tensor, "segment channel"]


class ParsedClip(NamedTuple):
    """Clip with its parse; several categories may hold at once.

    Attributes:
        frames: As of `MovingClip`.
        wave: As of `MovingClip`.
        motion: As of `MovingClip`.
        present: 1 where the clip shows a category, in whichever modality and second: all that training knows.
        audio: What is heard in which second.
        visual: What is seen in which second.
    """

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    motion: Float[Tensor, "segment channel"]
    present: Float[Tensor, " category"]
    audio: Bool[Tensor, "segment category"]
    visual: Bool[Tensor, "segment category"]


def without_motion(clip: Clip) -> MovingClip:
    """Returns a clip with motion features of width 0."""
    return MovingClip(clip.frames, clip.wave, clip.frames.new_zeros(len(clip.frames), 0))


def of_length(clip: Clip, segments: int) -> Clip:
    """Returns a clip that lasts `segments` seconds: a shorter one repeats its last frame and falls silent.

    Args:
        clip: Clip of at least one second.
        segments: Seconds.
    """
    short = max(0, segments - len(clip.frames))
    frames = torch.cat([clip.frames, clip.frames[-1:].expand(short, -1, -1, -1)])
    wave = torch.cat([clip.wave, clip.wave.new_zeros(short, clip.wave.shape[1])])
    return Clip(frames[:segments], wave[:segments])
