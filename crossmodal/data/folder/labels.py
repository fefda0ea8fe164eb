"""`labels.csv`: which events the files of a folder hold, and which split each file is in."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..extras import need
from ..published_tables import SPLITS
from ..same_text import BACKGROUND, alike, look_alike
from .label_table import read_label_table
from .packed_strings import PackedStrings
from .splitting import stratified

if TYPE_CHECKING:
    import pandas as pd

_FEW = 5


class Rows(NamedTuple):
    """All rows of a table, column by column, by file, then by label, then by start.

    Attributes:
        file: Index of the file.
        label: Index of the class.
        start: Seconds, `nan` where the label holds throughout.
        end: Seconds, as `start`.
        line: Line of the table.
    """

    file: NDArray[np.int32]
    label: NDArray[np.int32]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    line: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Labels:
    """Table of labels: made by `read_labels`, read by `Folder`. A row takes 28 bytes, a file those of its name and 9.

    Attributes:
        table: The CSV.
        classes: Names of the events.
        files: Paths within the folder of videos, each once.
        splits: 0, 1, 2 for train, val, test, of each file.
        rows: The events.
        notes: Sentences about the reading: how files were drawn, which columns were not read, which texts look alike
            and which classes are rare.
    """

    table: Path
    classes: tuple[str, ...]
    files: PackedStrings
    splits: NDArray[np.int8]
    rows: Rows
    notes: tuple[str, ...]

    def of_split(self, split: str | None) -> NDArray[np.int8]:
        """Returns for each file whether it is in a split; `None` is all of them.

        Raises:
            ValueError: If there is no such split, or no file in it.
        """
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

    Where no row has a split, files are drawn by `seed`, class by class: 80 % for training, 10 % for validation and 10 %
    for test. A file is in one split with all its rows. Every class is in training, one of two files in test too, one of
    three or more in all, as far as files of several classes allow it; `notes` say what is missing.

    Args:
        table: The CSV. A file of the folder may have several rows; `start` and `end` are seconds, and a row without
            them holds throughout.
        classes: Names of the events in the order of their index; `None` for those of the table, sorted.
        seed: Seed of the splits.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it cannot be understood, naming table, line, value and fix: a column that is missing or misspelt,
            too many fields, an empty file or label, times that are no seconds or end before they start, a row that is
            there twice, a label that is none of `classes`, a split of another name, a file in two splits, a table in
            which only some rows have one, or no rows at all.
        ImportError: Without the extra `recipes`, which brings pandas.
    """
    table = Path(table)
    rows, said = read_label_table(table, classes)
    known = tuple(classes) if classes is not None else tuple(sorted(rows.label.unique()))
    file, files = need("pandas", "read_labels").factorize(rows.file)
    columns = _sorted_rows(rows, file, rows.label.map({name: at for at, name in enumerate(known)}).to_numpy())
    pairs = np.unique(np.stack((columns.file, columns.label), axis=1), axis=0)
    notes = []
    if (rows.split == "").all():
        splits = stratified(files, _classes_of(pairs, len(files)), seed)
        notes = [f"files drawn by class and file with seed {seed}"]
    else:
        first = np.unique(file, return_index=True)[1]
        splits = rows.split.iloc[first].map(SPLITS.index).to_numpy(np.int8)
    counts = np.zeros((len(SPLITS), len(known)), int)
    np.add.at(counts, (splits[pairs[:, 0]], pairs[:, 1]), 1)
    notes += [*said, *_alike(known), *_rare(known, counts)]
    return Labels(table, known, PackedStrings(files), splits, columns, tuple(notes))


def _sorted_rows(rows: "pd.DataFrame", file: NDArray[np.intp], label: NDArray[np.intp]) -> Rows:
    """Returns the events by file, then by label, then by start."""
    order = np.lexsort((rows.start, label, file))  # the last key counts most
    kinds = {"start": np.float64, "end": np.float64, "line": np.int32}
    rest = [rows[name].to_numpy(kind)[order] for name, kind in kinds.items()]
    return Rows(file[order].astype(np.int32), label[order].astype(np.int32), *rest)


def _classes_of(pairs: NDArray[np.int32], files: int) -> list[list[int]]:
    """Returns the classes of each file, given all pairs of file and class."""
    found: list[list[int]] = [[] for _ in range(files)]
    for file, label in pairs.tolist():
        found[file].append(label)
    return found


def _alike(classes: Sequence[str]) -> Iterator[str]:
    """Yields sentences about classes that are easily taken for one another, or for background."""
    for names in alike(classes):
        yield f"classes that look alike are different ones: {', '.join(ascii(name) for name in names)}"
    for name in classes:
        if look_alike(name) == BACKGROUND:
            yield f"the class {name!r} bears the name of seconds without an event, which no event may bear"


def _rare(classes: Sequence[str], counts: NDArray[np.int_]) -> Iterator[str]:
    """Yields a sentence for classes without a file, and for every split that lacks classes.

    Args:
        classes: Names of the classes.
        counts: Files by split and class.
    """
    everywhere = counts.sum(axis=0)
    if unused := [classes[label] for label in np.flatnonzero(everywhere == 0).tolist()]:
        yield f"no file has {_some(unused)}"
    for split, inside in zip(SPLITS, counts, strict=True):
        absent = np.flatnonzero((inside == 0) & (everywhere > 0)).tolist()
        lacking = [f"{classes[label]} ({everywhere[label]})" for label in absent]
        if lacking and inside.any():
            yield f"{split} has no file of {_some(lacking)}" + " (files in all)"


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _FEW} others" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + rest


def event_seconds(start: float, end: float) -> tuple[int, int]:
    """Returns the first second of an event and the one behind its last: its own are those whose middle it holds."""
    # an event shorter than a second may hold no middle: it is given the second it lies in
    first, stop = math.ceil(start - 0.5), math.ceil(end - 0.5)
    middle = math.floor((start + end) / 2)
    return (first, stop) if first < stop else (middle, middle + 1)
