"""`labels.csv`: which events the files of a folder hold, and which split each file is in."""

import difflib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rows import SPLITS, Row, label_rows
from .splitting import stratified
from .texts import Texts

FEW = 5


class Rows(NamedTuple):
    """All rows of a table, column by column, by file, then by label, then by start.

    - `file`, `label`: indices. `start`, `end`: seconds, `nan` where the label holds throughout. `line`: of the table.
    """

    file: NDArray[np.int32]
    label: NDArray[np.int32]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    line: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Labels:
    """A table of labels: made by `read_labels`, read by `Folder`. A row takes 28 bytes, a file those of its name and 9.

    - `table`: the CSV. `classes`: names of the events.
    - `files`: paths within the folder of videos, each once. `splits`: 0, 1, 2 for train, val, test, of each file.
    - `rows`: the events.
    - `notes`: what was decided while reading, in sentences: how files were drawn, which classes are rare.
    """

    table: Path
    classes: tuple[str, ...]
    files: Texts
    splits: NDArray[np.int8]
    rows: Rows
    notes: tuple[str, ...]

    def of_split(self, split: str | None) -> NDArray[np.int8]:
        """Whether each file is in a split; `None` is all of them. `ValueError` where there is none."""
        if split not in (None, *SPLITS):
            raise ValueError(f"Folder: split={split!r} must be one of {', '.join(SPLITS)}, or None for all.")
        found = np.ones_like(self.splits) if split is None else (self.splits == SPLITS.index(split)).astype(np.int8)
        if not found.any():
            raise ValueError(
                f"Folder: {self.table} has no file in the split {split!r}: write {split} into the column split of "
                "some rows, or leave the column out, and files are drawn."
            )
        return found


def read_labels(table: str | Path, *, classes: Sequence[str] | None = None, seed: int = 0) -> Labels:
    """Reads a CSV of the columns `file,label[,start,end][,split]`, a row an event.

    - `table`: its file. A file of the folder may have several rows; `start` and `end` are seconds, and a row without
      them holds throughout.
    - `classes`: names of the events in the order of their index; `None` for those of the table, sorted.
    - `seed`: where no row has a split, files are drawn by it, class by class: 80 % for training, 10 % for validation
      and 10 % for test. A file is in one split with all its rows. Every class is in training, one of two files in test
      too, one of three or more in all, as far as files of several classes allow it; `notes` say what is missing.

    Raises `FileNotFoundError`, or `ValueError` naming table, line, value and fix: for a column that is missing or
    misspelt, another number of fields, an empty file or label, times that are no seconds or end before they start, a
    row that is there twice, a label that is none of `classes`, a split of another name, a file in two splits, a table
    in which only some rows have one; for a table without rows.
    """
    table = Path(table)
    rows = list(label_rows(table))
    if not rows:
        raise ValueError(f"read_labels: {table} has no row below the names of its columns: add file,label rows.")
    _check_classes(table, rows, classes)
    _check_duplicates(table, rows)
    known = tuple(classes) if classes is not None else tuple(sorted({row.label for row in rows}))
    files = list(dict.fromkeys(row.file for row in rows))
    index = {name: at for at, name in enumerate(files)}
    label_of = {name: at for at, name in enumerate(known)}
    columns = _columns(rows, index, label_of)
    classes_of = _classes_of(columns, len(files))
    given = _given(table, rows, index)
    splits = stratified(files, classes_of, seed) if given is None else given
    told = [f"files drawn by class and file with seed {seed}"] if given is None else []
    told += _rare(known, classes_of, splits)
    return Labels(table, known, Texts(files), splits, columns, tuple(told))


def _columns(rows: Sequence[Row], index: dict[str, int], label_of: dict[str, int]) -> Rows:
    file = np.fromiter((index[row.file] for row in rows), np.int32, len(rows))
    label = np.fromiter((label_of[row.label] for row in rows), np.int32, len(rows))
    start = np.fromiter((row.start for row in rows), np.float64, len(rows))
    end = np.fromiter((row.end for row in rows), np.float64, len(rows))
    line = np.fromiter((row.line for row in rows), np.int32, len(rows))
    order = np.lexsort((start, label, file))
    return Rows(file[order], label[order], start[order], end[order], line[order])


def _classes_of(rows: Rows, files: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(files)]
    for file, label in np.unique(np.stack((rows.file, rows.label), axis=1), axis=0).tolist():
        found[file].append(label)
    return found


def _check_classes(table: Path, rows: Sequence[Row], classes: Sequence[str] | None) -> None:
    if classes is None:
        return
    known = {*classes}
    for row in rows:
        if row.label not in known:
            near = difflib.get_close_matches(row.label, classes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "correct it, or add it to the classes."
            raise ValueError(
                f"read_labels: {table}, line {row.line}: the label {row.label!r} is none of the {len(classes)} "
                f"classes: {hint}"
            )


def _check_duplicates(table: Path, rows: Sequence[Row]) -> None:
    first: dict[tuple[str, str, str], int] = {}
    for row in rows:
        event = row.file, row.label, f"{row.start}-{row.end}"  # nan is unlike itself, its text is not
        if event in first:
            raise ValueError(
                f"read_labels: {table}, line {row.line}: {row.file!r} with {row.label!r} is in line {first[event]} "
                "already, at the same time: remove one of the rows."
            )
        first[event] = row.line


def _given(table: Path, rows: Sequence[Row], index: dict[str, int]) -> NDArray[np.int8] | None:
    """The splits that the table gives; `None` where it gives none."""
    with_one = [row for row in rows if row.split]
    if not with_one:
        return None
    if len(with_one) < len(rows):
        without = next(row for row in rows if not row.split)
        raise ValueError(
            f"read_labels: {table}, line {without.line}: the split is empty, but {len(with_one)} rows have one: fill "
            "in all, or none, and files are drawn."
        )
    found: dict[str, Row] = {}
    for row in rows:
        other = found.setdefault(row.file, row)
        if other.split != row.split:
            raise ValueError(
                f"read_labels: {table}, line {row.line}: {row.file!r} is in {row.split}, but in {other.split} in line "
                f"{other.line}: a file belongs to one split."
            )
    return np.fromiter((SPLITS.index(found[name].split) for name in index), np.int8, len(index))


def _rare(classes: Sequence[str], classes_of: Sequence[Sequence[int]], splits: NDArray[np.int8]) -> Iterator[str]:
    """A sentence for every split that lacks classes, and for classes without a file."""
    counts = [Counter[int]() for _ in SPLITS]
    for labels, split in zip(classes_of, splits.tolist(), strict=True):
        counts[split].update(labels)
    everywhere = sum(counts, Counter[int]())
    if unused := [name for label, name in enumerate(classes) if not everywhere[label]]:
        yield f"no file has {_some(unused)}"
    for split, inside in zip(SPLITS, counts, strict=True):
        lacking = [f"{classes[label]} ({n})" for label, n in sorted(everywhere.items()) if not inside[label]]
        if lacking and inside:
            yield f"{split} has no file of {_some(lacking)}" + " (files in all)"


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - FEW} others" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + rest


def seconds(start: float, end: float) -> tuple[int, int]:
    """The first second of an event and the one behind its last: its own are those whose middle it holds."""
    first, stop = math.ceil(start - 0.5), math.ceil(end - 0.5)
    middle = math.floor((start + end) / 2)
    return (first, stop) if first < stop else (middle, middle + 1)
