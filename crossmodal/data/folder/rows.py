"""The rows of a `labels.csv`, one by one: read by name of column, and refused in words."""

import csv
import difflib
import math
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "val", "test")
NEEDED, OPTIONAL = ("file", "label"), ("start", "end", "split")
DELIMITERS = ",;\t|"


class Row(NamedTuple):
    """One event: `label` holds in `file` from second `start` to `end`, or throughout where they are `nan`.

    - `split`: as the table says, or empty. `line`: of the table.
    """

    file: str
    label: str
    start: float
    end: float
    split: str
    line: int


def label_rows(table: Path) -> Iterator[Row]:
    """Yields the rows of a table, whose first line names the columns `file,label[,start,end][,split]` in any order.

    The delimiter is the commonest of comma, semicolon, tab and bar in the first line; quotes and a byte order mark are
    understood; columns of other names are not read.

    Raises `FileNotFoundError`, or `ValueError` naming table, line, value and fix.
    """
    if not table.is_file():
        raise FileNotFoundError(f"read_labels: there is no file {table}: give a CSV of the columns file,label.")
    with table.open(newline="", encoding="utf-8-sig") as opened:
        try:
            yield from _rows(table, opened.readline(), opened)
        except UnicodeDecodeError as error:
            raise ValueError(f"read_labels: {table} is not UTF-8 ({error.reason}): save it as UTF-8.") from error
        except csv.Error as error:
            raise ValueError(f"read_labels: {table} is no CSV ({error}): write one row a line.") from error


def _columns(table: Path, first: str) -> tuple[list[str], str]:
    delimiter = max(DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(
            f"read_labels: {table}, line 1: {first.strip()!r} lacks the column {missing[0]!r}: name the columns "
            "file,label and, if you have them, start,end and split."
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"read_labels: {table}, line 1: the column {twice[0]!r} is there twice: remove one.")
    for name in names:
        near = difflib.get_close_matches(name.lower(), OPTIONAL, n=1, cutoff=0.75)
        if near and name not in OPTIONAL and near[0] not in names:
            raise ValueError(f"read_labels: {table}, line 1: the column {name!r} is not known: is it {near[0]!r}?")
    if ("start" in names) != ("end" in names):
        raise ValueError(f"read_labels: {table}, line 1: start and end go together: add the other one, or leave both.")
    return names, delimiter


def _rows(table: Path, first: str, rest: Iterator[str]) -> Iterator[Row]:
    names, delimiter = _columns(table, first)
    reader = csv.reader(rest, delimiter=delimiter)
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        try:
            yield _row(names, fields, line=reader.line_num + 1)
        except ValueError as error:
            raise ValueError(f"read_labels: {table}, line {reader.line_num + 1}: {error}") from error


def _row(names: Sequence[str], fields: Sequence[str], *, line: int) -> Row:
    if len(fields) != len(names):
        raise ValueError(
            f"{len(fields)} fields {fields}, but {len(names)} columns {','.join(names)}: put quotes around a field "
            "that holds the delimiter, and leave none out."
        )
    found = {name: field.strip() for name, field in zip(names, fields, strict=True)}
    for name in NEEDED:
        if not found[name]:
            raise ValueError(f"the {name} is empty: fill it in, or remove the row.")
    file = posixpath.normpath(found["file"])  # thrice as fast as Path, and there may be many
    if file == ".." or file.startswith(("/", "../")):
        raise ValueError(f"the file {found['file']!r} must be a path within the folder of videos: leave out the rest.")
    split = found.get("split", "")
    if split not in ("", *SPLITS):
        raise ValueError(f"the split {split!r} is none of {', '.join(SPLITS)}: write one of them.")
    start, end = _times(found.get("start", ""), found.get("end", ""))
    return Row(file, found["label"], start, end, split, line)


def _times(start: str, end: str) -> tuple[float, float]:
    if not start and not end:
        return math.nan, math.nan
    if not start or not end:
        raise ValueError(f"start {start!r} and end {end!r} go together: give both, or leave both empty.")
    begins, ends = _seconds("start", start), _seconds("end", end)
    if not begins < ends:
        raise ValueError(f"end {end!r} must lie behind start {start!r}: correct one of them.")
    return begins, ends


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} {text!r} is no number of seconds: write it as in 12.5, from 0 on.")
    return value
