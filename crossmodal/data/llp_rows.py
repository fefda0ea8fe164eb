"""Annotation files of LLP: labels of clips, and of events with their seconds, in tab-separated tables."""

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from .published_tables import TableRow, read_columns, unusable

LLP_CLASSES = (
    "Speech",
    "Car",
    "Cheering",
    "Dog",
    "Cat",
    "Frying_(food)",
    "Basketball_bounce",
    "Fire_alarm",
    "Chainsaw",
    "Cello",
    "Banjo",
    "Singing",
    "Chicken_rooster",
    "Violin_fiddle",
    "Vacuum_cleaner",
    "Baby_laughter",
    "Accordion",
    "Lawn_mower",
    "Motorcycle",
    "Helicopter",
    "Acoustic_guitar",
    "Telephone_bell_ringing",
    "Baby_cry_infant_cry",
    "Blender",
    "Clapping",
)
"""Categories of LLP in the order of the released labels (spec C)."""

SEGMENTS = 10
ERRATA: Mapping[str, str] = MappingProxyType(
    {"Baby_cry_infant_cry": "JfZEqeLZqWk_30_40", "KvIjsmANkxI_10_20`": "KvIjsmANkxI_10_20"}
)
"""Names in `AVVP_eval_audio.csv` as MGN and CPSP hand it out → the names that the newest file has: in three rows a
category stands in the place of the name, or a backtick behind it, and their events would be missing in silence."""


class ClipLabels(NamedTuple):
    """Categories of a clip, in whichever modality; `name` is its video id with start and end second."""

    name: str
    categories: tuple[str, ...]


class DenseEvent(NamedTuple):
    """Category that is heard, or seen, in a clip from second `onset` up to, not in, `offset`."""

    name: str
    onset: int
    offset: int
    category: str


def read_clip_labels(file: Path, classes: Sequence[str]) -> list[ClipLabels]:
    """Reads a table of clips, `filename` and `event_labels` (separated by commas).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row lacks a column or names an unknown category, naming file, line and both; if there is none.
    """
    found = []
    for line, row in _rows(file, ("filename", "event_labels")):
        labels = (label.strip() for label in row["event_labels"].split(","))
        categories = tuple(dict.fromkeys(label for label in labels if label))
        for category in categories:
            _check_category(file, line, category, classes)
        found.append(ClipLabels(row["filename"], categories))
    if not found:
        raise ValueError(f"LLP: {file} holds no row: copy the released file.")
    return found


def read_dense_events(
    file: Path, classes: Sequence[str], *, errata: Mapping[str, str] = ERRATA, segments: int = SEGMENTS
) -> list[DenseEvent]:
    """Reads a table of events, `filename`, `onset`, `offset` and `event_labels`; both published versions read alike.

    Args:
        file: The table.
        classes: Known categories.
        errata: Name in the file → name that is meant; an empty one reads the older version as it stands.
        segments: Seconds of a clip.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row lacks a column, names an unknown category, or its seconds are not `0 ≤ onset ≤ offset ≤
            segments`, naming file and line.
    """
    found = []
    for line, row in _rows(file, ("filename", "onset", "offset", "event_labels")):
        category, name = row["event_labels"], row["filename"]
        _check_category(file, line, category, classes)
        onset, offset = (_whole_seconds(file, line, row[column]) for column in ("onset", "offset"))
        if not 0 <= onset <= offset <= segments:
            raise ValueError(
                f"LLP: {file}, line {line}: {name} has an event from {onset} to {offset} s, but a clip lasts "
                f"{segments} s: onset and offset must lie in it, in this order."
            )
        found.append(DenseEvent(errata.get(name, name), onset, offset, category))
    return found


def _rows(file: Path, columns: Sequence[str]) -> Iterator[TableRow]:
    """Yields the rows of a tab-separated table with a header; quotes are characters like others."""
    for row in read_columns(file, "LLP", columns, delimiter="\t", quoting=csv.QUOTE_NONE):
        cells = {name: text.strip() for name, text in row.cells.items()}
        if lacking := [name for name in columns if not cells[name].strip(",")]:
            raise ValueError(f"LLP: {file}, line {row.line}: {lacking[0]} is missing: a row is {' '.join(columns)}.")
        if why := unusable(cells["filename"]):
            raise ValueError(f"LLP: {file}, line {row.line}: {cells['filename']!r} is no name of a clip: {why}.")
        yield TableRow(row.line, cells)


def _whole_seconds(file: Path, line: int, text: str) -> int:
    """Returns a number of seconds; `int` alone would read `1_0` as ten."""
    try:
        return int(text if "_" not in text else "")
    except ValueError:
        raise ValueError(
            f"LLP: {file}, line {line}: onset and offset must be whole seconds, but {text!r} is no whole number."
        ) from None


def _check_category(file: Path, line: int, category: str, classes: Sequence[str]) -> None:
    """Refuses an unknown category."""
    if category not in classes:
        near = difflib.get_close_matches(category, classes, n=1)
        hint = f", perhaps {near[0]!r}?" if near else f": the {len(classes)} are {', '.join(classes)}."
        raise ValueError(f"LLP: {file}, line {line}: {category!r} is none of the categories{hint}")
