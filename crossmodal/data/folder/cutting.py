"""How files are cut into clips of a fixed number of seconds, and what becomes of one that is shorter."""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..clip import LabelledClip
from .labels import seconds


class Span(NamedTuple):
    """Seconds of a file: `length` of them from `first` on."""

    first: int
    length: int


class Cut(Protocol):
    """Makes clips of `segments` seconds of the events of a table."""

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """What is read of a file for an event; `start` and `end` are `nan` for one that holds throughout."""

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """A clip of fewer seconds, brought to `segments`."""


class EventWindows:
    """For events in time. A file is cut into windows of `segments` seconds from its start; those that an event touches
    are clips, in which other seconds are background.

    An event without times holds throughout the first window. A clip of a file that ends early keeps showing its last
    frame, is silent, and holds background.
    """

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """The windows that an event touches."""
        if math.isnan(start):
            return [Span(0, segments)]
        first, stop = seconds(start, end)
        return [Span(window * segments, segments) for window in range(first // segments, (stop - 1) // segments + 1)]

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """Repeats the last frame, in silence, labelled background."""
        lacking = segments - len(clip.labels)
        still = clip.frames[-1:].expand(lacking, -1, -1, -1)
        silent = clip.wave.new_zeros(lacking, clip.wave.shape[1])
        return _joined(clip, LabelledClip(still, silent, clip.labels.new_full((lacking,), background)))


class TrimmedClips:
    """For a label a clip. A row is a clip: its seconds, `segments` of them at most, or the file's first ones.

    A shorter clip is repeated from its start until it is long enough, so that none of it is anything else.
    """

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """The event's first `segments` seconds."""
        if math.isnan(start):
            return [Span(0, segments)]
        first, stop = seconds(start, end)
        return [Span(first, min(stop - first, segments))]

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """Repeats the clip."""
        at = torch.arange(segments) % len(clip.labels)
        return LabelledClip(*(part[at] for part in clip))


def _joined(clip: LabelledClip, rest: LabelledClip) -> LabelledClip:
    parts: list[Tensor] = [torch.cat(both) for both in zip(clip, rest, strict=True)]
    return LabelledClip(*parts)
