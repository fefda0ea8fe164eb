"""Clips with a question about them, and with frames of other clips."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .clip import Clip


class AskingClip(NamedTuple):
    """Model input of one clip and one question: ids of words, zero behind the last one."""

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    question: Int64[Tensor, " word"]


class AskedClip(NamedTuple):
    """Clip with a question and its answer.

    Attributes:
        frames: As of `AskingClip`.
        wave: As of `AskingClip`.
        others: Frames of other clips, one per segment: what is heard does not belong to them.
        question: As of `AskingClip`.
        answer: Index of the answer; the number of answers where it is none of them.
        kind: Kind of the question, an index of `crossmodal.metrics.answers.QUESTION_KINDS`.
    """

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    others: Float[Tensor, "segment 3 height width"]
    question: Int64[Tensor, " word"]
    answer: Int64[Tensor, ""]
    kind: Int64[Tensor, ""]


def thinned(clip: Clip, segments: int) -> Clip:
    """Returns a clip of `segments` seconds: of a longer one evenly spaced seconds, of a shorter one some twice.

    Of a minute, ten segments are every sixth second, the first one among them, as ST-AVQA takes them.
    """
    at = torch.arange(segments) * len(clip.frames) // segments
    return Clip(clip.frames[at], clip.wave[at])
