"""Rows of a CSV as text, with their lines: nothing is guessed where quotes do not match."""

import csv
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..same_text import plain_text

NEEDED, OPTIONAL = ("file", "label"), ("start", "end", "split")
DELIMITERS = ",;\t|"

PAIRS = {
    ("start", "end"),
    ("start", "stop"),
    ("start", "finish"),
    ("start time", "end time"),
    ("start time", "stop time"),
    ("t start", "t end"),
    ("time start", "time end"),
    ("starttime", "endtime"),
    ("event start", "event end"),
    ("segment start", "segment end"),
    ("start timestamp", "end timestamp"),
    ("onset", "offset"),
    ("event onset", "event offset"),
    ("begin", "end"),
    ("begin", "finish"),
    ("begin time", "end time"),
    ("begins", "ends"),
    ("starts", "ends"),
    ("from", "to"),
    ("tmin", "tmax"),
    ("xmin", "xmax"),
    ("t0", "t1"),
}
"""Names under which others write start and end, without their unit; read where they hold numbers."""

_UNIT = re.compile(r"[\s_]*(?:[(\[]\s*(?:s|secs?|seconds?)\.?\s*[)\]]|(?<=[\s_])(?:in )?(?:s|secs?|seconds?))$")


class TextRows(NamedTuple):
    """Table as text.

    Attributes:
        columns: Name → cells, of those of `NEEDED` and `OPTIONAL` that the table has.
        lines: Line of each row, the first one where it holds line breaks.
        notes: Sentences about columns: which were read under another name, which were not read.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    notes: list[str]


def read_text_rows(table: Path) -> TextRows:
    """Reads all rows that are not blank.

    Raises:
        ValueError: If a column is missing or misspelt, columns without names may be times, a quote is not closed, a row
            has too many fields, or is that of the columns' names once more.
        UnicodeDecodeError: If the table is not UTF-8.
    """
    with table.open(encoding="utf-8-sig", newline="") as opened:
        first = opened.readline()
        delimiter = max(DELIMITERS, key=first.count)
        names = _names(table, first, delimiter)
        rows = list(_rows(table, opened, names, delimiter))
    wanted, notes = _wanted(names, [row for _, row in rows])
    _check_unnamed(table, names, rows, wanted)
    if ("start" in wanted) != ("end" in wanted):
        raise ValueError(f"read_labels: {table}, line 1: start and end go together: add the other one, or leave both.")
    columns = {name: [row[at] for _, row in rows] for name, at in wanted.items()}
    return TextRows(columns, [line for line, _ in rows], notes)


def _names(table: Path, first: str, delimiter: str) -> list[str]:
    """Returns the names of the columns, by the first line."""
    names = [plain_text(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(
            f"read_labels: {table}, line 1: {first.strip()!r} lacks the column {missing[0]!r}: name the columns "
            "file,label and, if you have them, start,end and split."
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"read_labels: {table}, line 1: the column {twice[0]!r} is there twice: remove one.")
    for name in names:
        near = difflib.get_close_matches(name.lower(), OPTIONAL, n=1, cutoff=0.75)
        if near and name not in OPTIONAL and near[0] not in names and _bare(name) not in _OTHERS:
            raise ValueError(f"read_labels: {table}, line 1: the column {name!r} is not known: is it {near[0]!r}?")
    return names


def _rows(table: Path, opened: Iterable[str], names: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields line and fields, without blanks around them, of rows that are not blank."""
    reader = csv.reader(_trimmed(opened, delimiter), delimiter=delimiter, strict=True)
    line, count = 2, len(names)
    try:
        for fields in reader:
            row = [field.strip() for field in fields]
            if any(row[count:]):
                raise ValueError(
                    f"read_labels: {table}, line {line}: more fields than the {count} columns {','.join(names)}: put "
                    "quotes around a field that holds the delimiter."
                )
            row = [*row[:count], *[""] * (count - len(row))]
            if all(plain_text(field) == name for field, name in zip(row, names, strict=True) if name in _KNOWN):
                raise ValueError(
                    f"read_labels: {table}, line {line}: {delimiter.join(names)!r} names the columns once more, as "
                    "where two tables were joined: remove the line."
                )
            if any(row):
                yield line, row
            line = reader.line_num + 2
    except csv.Error as error:
        said = "EOF inside string" if "end of data" in str(error) else str(error)
        raise ValueError(
            f"read_labels: {table}, line {line}: is no CSV ({said}): a quote opens there that is not closed where its "
            'field ends. Close it, or write one that belongs to the text twice, in quotes: """".'
        ) from error


def _trimmed(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    """Yields lines without blanks between a closing quote and the end of its field, which a strict reader refuses."""
    blanks = re.compile(rf'"[ \xa0]+(?=[{re.escape(delimiter)}\r\n]|$)')
    return (blanks.sub('"', line) if '" ' in line or '"\xa0' in line else line for line in lines)


_KNOWN = frozenset((*NEEDED, *OPTIONAL))
_OTHERS = frozenset(name for pair in PAIRS for name in pair) - _KNOWN


def _bare(name: str) -> str:
    """Returns the name of a column in small letters, without its unit, words apart by spaces."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    return " ".join(re.split(r"[\s_\-.]+", _UNIT.sub("", spaced)))


def _wanted(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], list[str]]:
    """Returns name → index of the columns to read, and notes on the others."""
    wanted, notes = {name: names.index(name) for name in (*NEEDED, *OPTIONAL) if name in names}, []
    bare = {_bare(name): at for at, name in enumerate(names) if at not in wanted.values()}
    pair = next((pair for pair in sorted(PAIRS) if all(name in bare for name in pair)), None)
    if pair and "start" not in wanted and "end" not in wanted:
        times = [bare[name] for name in pair]
        if any(all(_is_number(row[at]) for at in times) for row in rows):
            wanted |= dict(zip(("start", "end"), times, strict=True))
            read = " and ".join(f"{names[at]!r} as {name}" for name, at in zip(("start", "end"), times, strict=True))
            notes.append(f"read {read}, in seconds")
    filled = [bool(name) or any(row[at] for row in rows) for at, name in enumerate(names)]
    if unread := [at for at in range(len(names)) if filled[at] and at not in wanted.values()]:
        told = ", ".join(repr(names[at]) if names[at] else f"column {at + 1} (without a name)" for at in unread)
        held = "" if "start" in wanted else "; no start and end are known, so every label holds throughout its file"
        drawn = "" if "split" in wanted else "; no split is known"
        notes.append(f"columns that are not read: {told}{held}{drawn}")
    return wanted, notes


def _check_unnamed(
    table: Path, names: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], wanted: Collection[str]
) -> None:
    """Refuses columns of numbers without names where no times are known; a single one is told, as it may count rows.

    Raises:
        ValueError: Naming two of them, with what they hold.
    """
    if "start" in wanted:
        return
    unnamed = [at for at, name in enumerate(names) if not name]
    for line, row in rows:
        numbers = [at for at in unnamed if _is_number(row[at])]
        if len(numbers) > 1:
            one, other = numbers[-2:]
            raise ValueError(
                f"read_labels: {table}, line 1: columns {one + 1} and {other + 1} have no name, but hold numbers "
                f"({row[one]!r} and {row[other]!r} in line {line}): name them start and end, or remove them."
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
