"""Windowing of files into clips of a fixed number of seconds, and the filling of shorter ones."""

import math
from fractions import Fraction
from typing import NamedTuple, Protocol

import torch

from ..clip import LabelledClip
from ..same_text import BACKGROUND
from .labels import event_seconds


class Span(NamedTuple):
    """Seconds of a file: `length` of them from `first` on."""

    first: int
    length: int


def is_far_behind(end: float, seconds: float | Fraction) -> bool:
    """Returns whether an event ends so far behind its film that its time cannot be meant in seconds."""
    return end > 2 * seconds + 60


class Windowing(Protocol):
    """Policy that makes clips of `segments` seconds of the events of a table."""

    @property
    def reserved(self) -> tuple[str, ...]:
        """Names that no class may have, since something else in a clip bears them."""

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """Returns what is read of a file for an event.

        Args:
            start: Seconds; `nan` for an event that holds throughout.
            end: Seconds, as `start`.
            segments: Seconds of a clip.
        """

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """Returns a clip of fewer seconds, brought to `segments`.

        Args:
            clip: The clip.
            segments: Seconds it must have.
            background: Label of a second without an event.
        """


class EventWindows:
    """Windowing for events in time: windows of `segments` seconds from the file's start; those with an event are clips.

    An event without times holds throughout the first window. A clip of a file that ends early keeps showing its last
    frame, is silent, and holds background.
    """

    reserved = (BACKGROUND,)

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """Returns the windows that an event touches."""
        if math.isnan(start):
            return [Span(0, segments)]
        first, stop = event_seconds(start, end)
        return [Span(window * segments, segments) for window in range(first // segments, (stop - 1) // segments + 1)]

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """Repeats the last frame, in silence, labelled background."""
        lacking = segments - len(clip.labels)
        still = clip.frames[-1:].expand(lacking, -1, -1, -1)
        silent = clip.wave.new_zeros(lacking, clip.wave.shape[1])
        rest = LabelledClip(still, silent, clip.labels.new_full((lacking,), background))
        return LabelledClip(*map(torch.cat, zip(clip, rest, strict=True)))


class TrimmedClips:
    """Windowing for one label per clip: the seconds of a row, `segments` of them at most, or the file's first ones.

    A shorter clip is repeated from its start until it is long enough, so that none of it is anything else.
    """

    reserved = ()

    def spans(self, start: float, end: float, segments: int) -> list[Span]:
        """Returns the event's first `segments` seconds."""
        if math.isnan(start):
            return [Span(0, segments)]
        first, stop = event_seconds(start, end)
        return [Span(first, min(stop - first, segments))]

    def fill(self, clip: LabelledClip, segments: int, background: int) -> LabelledClip:
        """Repeats the clip."""
        at = torch.arange(segments) % len(clip.labels)
        return LabelledClip(*(part[at] for part in clip))
