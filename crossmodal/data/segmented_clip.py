"""Clips with the masks of the objects that sound, second by second."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor


class SegmentedClip(NamedTuple):
    """Clip with the mask of every frame.

    Attributes:
        frames: As of `Clip`.
        wave: As of `Clip`.
        masks: Pixels of the objects that sound, in a size of their own.
        supervised: Frames whose mask is known; what stands in the others is nothing.
        labels: Category of the object that sounds; the index behind the last where there is none, or several.
    """

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    masks: Bool[Tensor, "segment rows columns"]
    supervised: Bool[Tensor, " segment"]
    labels: Int64[Tensor, " segment"]


AVSBENCH_SETTINGS = ("s4", "ms3")
"""Settings of AVSBench: one source and the mask of the first frame in training, or several and every mask."""


def check_setting(owner: str, setting: str) -> None:
    """Refuses what is no setting.

    Raises:
        ValueError: If it is none.
    """
    if setting not in AVSBENCH_SETTINGS:
        raise ValueError(f"{owner}: setting={setting!r} must be one of {', '.join(map(repr, AVSBENCH_SETTINGS))}.")
