"""Annotation rows of AVE: one event per row, `Category&VideoID&Quality&StartTime&EndTime` (spec B.1)."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from ..shapes import shaped
from .published_tables import read_text, told_twice, unusable, unwritable
from .same_text import BACKGROUND, look_alike, same_text

ANNOTATION_HEADER = "Category&VideoID&Quality&StartTime&EndTime"

AVE_CLASSES = (
    "Church bell",
    "Male speech, man speaking",
    "Bark",
    "Fixed-wing aircraft, airplane",
    "Race car, auto racing",
    "Female speech, woman speaking",
    "Helicopter",
    "Violin, fiddle",
    "Flute",
    "Ukulele",
    "Frying (food)",
    "Truck",
    "Shofar",
    "Motorcycle",
    "Acoustic guitar",
    "Train horn",
    "Clock",
    "Banjo",
    "Goat",
    "Baby cry, infant cry",
    "Bus",
    "Chainsaw",
    "Cat",
    "Horse",
    "Toilet flush",
    "Rodents, rats, mice",
    "Accordion",
    "Mandolin",
)
"""Event classes of AVE in the order of the released labels (spec C); background is index 28."""


class Event(NamedTuple):
    """Annotated event: `category` is audible and visible in `video` from second `start` up to, not in, `end`."""

    category: str
    video: str
    start: int
    end: int


def read_events(file: Path, classes: Sequence[str], segments: int) -> list[Event]:
    """Reads the rows of an annotation or split file, in order; the header and blank lines are skipped.

    Args:
        file: The annotation or split file.
        classes: Names of the categories.
        segments: Seconds of a clip.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has not five fields, its category is none of `classes`, its video is no plain name, or its
            times are not `0 ≤ start ≤ end ≤ segments`, naming file, line number and text; if the file has no row.
    """
    if not file.is_file():
        raise FileNotFoundError(f"AVE: {file} is missing: copy the released file there.")
    events = []
    # a byte order mark is skipped; a category that is no UTF-8 is refused below, with its line
    for number, line in enumerate(file.read_text("utf-8-sig", errors="replace").splitlines(), start=1):
        if line.strip() and line.strip() != ANNOTATION_HEADER:
            try:
                events.append(_parse(line.strip(), classes, segments))
            except ValueError as error:
                raise ValueError(f"AVE: {file}, line {number}: {line!r}: {error}") from error
    if not events:
        raise ValueError(f"AVE: {file} holds no row: copy the released file.")
    return events


def read_classes(file: Path, owner: str = "AVE") -> tuple[str, ...]:
    """Reads the event classes that a `categories.txt` lists, one per line, in the order of their index.

    Args:
        file: The list.
        owner: Name of the data set in errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8, lists none, lists one twice, maybe in two ways that look the same, or one by the
            name of seconds without an event; if a line is a comment or holds a control character.
    """
    # not by splitlines(), which ends a line at characters that other readers of the file take for others
    lines = [line.strip() for line in re.split(r"\r\n|\n|\r", read_text(file, owner))]
    for number, line in enumerate(lines, start=1):
        if strange := unwritable(line):
            raise ValueError(f"{owner}: {file}, line {number}: {line!r} {strange}: remove it.")
        if line.startswith("#"):
            raise ValueError(
                f"{owner}: {file}, line {number}: {line!r} reads as a comment, but every line is a category: remove it."
            )
    names = tuple(line for line in lines if line)
    twice = [name for name, count in Counter(map(same_text, names)).items() if count > 1]
    if twice or not names:
        raise ValueError(
            f"{owner}: {file} lists {f'{twice[0]!r} twice' if twice else 'no category'}: one name a line, each once."
        )
    if reserved := [name for name in names if look_alike(name) == BACKGROUND]:
        raise ValueError(
            f"{owner}: {file} lists {reserved[0]!r}, the name of seconds without an event: remove the line, for they "
            "are the class behind the last one in any case, or give the category another name."
        )
    return names


def told_events(splits: Mapping[str, Sequence[Event]]) -> list[str]:
    """Returns sentences about rows that stand twice in a split, and videos of training that are held out, too.

    Args:
        splits: Split → its events; several of one video are no fault.
    """
    said = []
    for name, events in splits.items():
        rows = [f"{each.video} ({each.category}, {each.start}-{each.end} s)" for each in events]
        said += told_twice({name: rows}, "rows")
    videos = {name: [*dict.fromkeys(each.video for each in events)] for name, events in splits.items()}
    return said + told_twice(videos, "videos")


@shaped
def event_labels(event: Event, classes: Sequence[str], segments: int) -> Int64[Tensor, " segment"]:
    """Returns the class of every one-second segment: the event's in its time, else background, `len(classes)`."""
    second = torch.arange(segments)
    inside = (second >= event.start) & (second < event.end)
    return torch.where(inside, classes.index(event.category), len(classes))


def _parse(line: str, classes: Sequence[str], segments: int) -> Event:
    fields = line.split("&")
    if len(fields) != 5:
        raise ValueError(f"{len(fields)} fields, expected the five of {ANNOTATION_HEADER}.")
    category, video, _, start, end = fields
    if category not in classes:
        near = difflib.get_close_matches(category, classes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " Correct it, or list it in categories.txt."
        raise ValueError(f"{category!r} is none of the {len(classes)} categories.{hint}")
    if why := unusable(video):
        raise ValueError(f"{video!r} is no video id: {why}.")
    if not (start.isdecimal() and end.isdecimal() and int(start) <= int(end) <= segments):
        raise ValueError(
            f"StartTime {start!r} and EndTime {end!r} must be whole seconds, 0 ≤ start ≤ end ≤ {segments}."
        )
    return Event(category, video, int(start), int(end))
