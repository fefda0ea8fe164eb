"""Rows of a `labels.csv`, read by pandas and checked: what is wrong is named with line, value and fix."""

import csv
import difflib
import posixpath
import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ave import SPLITS
from ..extras import need

if TYPE_CHECKING:
    import pandas as pd

NEEDED, TIME_COLUMNS, OPTIONAL = ("file", "label"), ("start", "end"), ("start", "end", "split")
DELIMITERS = ",;\t|"


def read_label_table(table: Path, classes: Sequence[str] | None = None) -> "pd.DataFrame":
    """Reads the rows of a table whose first line names the columns `file,label[,start,end][,split]` in any order.

    The delimiter is the commonest of comma, semicolon, tab and bar in the first line; quotes and a byte order mark are
    understood; columns of other names are not read.

    Args:
        table: The CSV.
        classes: Labels that are allowed; `None` allows all.

    Returns:
        Columns `file`, `label`, `split` (text; no split is empty), `start`, `end` (seconds; `nan` where the label holds
        throughout) and `line` of the table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row cannot be understood; the first one is named.
    """
    if not table.is_file():
        raise FileNotFoundError(f"read_labels: there is no file {table}: give a CSV of the columns file,label.")
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            names, delimiter = _columns(table, opened.readline())
        rows = _text_rows(table, names, delimiter)
    except UnicodeDecodeError as error:
        raise ValueError(f"read_labels: {table} is not UTF-8 ({error.reason}): save it as UTF-8.") from error
    if not len(rows):
        raise ValueError(f"read_labels: {table} has no row below the names of its columns: add file,label rows.")
    _check_texts(table, rows, classes)
    _check_times(table, rows)
    _check_splits(table, rows)
    twice = rows.duplicated(["file", "label", "start", "end"])

    def first_of(row: Any) -> str:
        same = rows[(rows.file == row.file) & (rows.label == row.label)]
        # NaN, no time given, equals nothing, not even itself
        same = same[(same.start == row.start) | (same.start.isna() & (row.start != row.start))]
        return (
            f"{row.file!r} with {row.label!r} is in line {same.line.iloc[0]} already, at the same time: remove one of "
            "the rows."
        )

    _refuse(table, rows, twice, first_of)
    return rows


def _columns(table: Path, first: str) -> tuple[list[str], str]:
    """Returns the names of the columns and the delimiter, by the first line."""
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


def _text_rows(table: Path, names: Sequence[str], delimiter: str) -> "pd.DataFrame":
    """Reads all rows that are not blank, as text without blanks around it, with their lines."""
    pandas = need("pandas", "read_labels")
    extra = len(names)  # one column more than there are: pandas drops what does not fit the first row in silence
    too_many = (
        f"more fields than the {extra} columns {','.join(names)}: put quotes around a field that holds the delimiter."
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pandas.errors.ParserWarning)
            rows = pandas.read_csv(
                table,
                sep=delimiter,
                names=range(extra + 1),
                index_col=False,
                skiprows=1,
                dtype=str,
                keep_default_na=False,
                # kept for the numbers of the lines, and left out at the end
                skip_blank_lines=False,
                encoding="utf-8-sig",
            )
    except pandas.errors.ParserError as error:
        if long := re.search(r"in line (\d+), saw", str(error)):
            raise ValueError(f"read_labels: {table}, line {long[1]}: {too_many}") from error
        raise ValueError(f"read_labels: {table} is no CSV ({str(error).strip()}): write one row a line.") from error
    breaks = sum((rows[column].str.count("\n") for column in rows), start=0)
    # a quoted field may hold line breaks, which shift the lines of the rows below it
    rows["line"] = rows.index + 2 + (breaks.cumsum() - breaks if len(rows) else 0)
    _refuse(table, rows, rows[extra] != "", lambda row: too_many)
    rows = rows.rename(columns=dict(enumerate(names)))
    for column in (*NEEDED, *OPTIONAL):
        rows[column] = rows[column].str.strip() if column in names else ""
    named = rows[[*names]].apply(lambda column: column.str.strip() != "") if len(rows) else rows[[*names]]
    return rows.loc[named.any(axis=1), [*NEEDED, *OPTIONAL, "line"]].reset_index(drop=True)


def _refuse(table: Path, rows: "pd.DataFrame", wrong: "pd.Series[bool]", words: Callable[[Any], str]) -> None:
    """Raises `ValueError` for the first row that is wrong, if there is one."""
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise ValueError(f"read_labels: {table}, line {row.line}: {words(row)}")


def _check_texts(table: Path, rows: "pd.DataFrame", classes: Sequence[str] | None) -> None:
    """Checks files, labels and names of splits; writes every path in its shortest form."""
    for name in NEEDED:
        _refuse(table, rows, rows[name] == "", partial(_empty, name))
    outside = rows.file.map({name: _leaves(name) for name in rows.file.unique()})
    _refuse(
        table,
        rows,
        outside,
        lambda row: f"the file {row.file!r} must be a path within the folder of videos: leave out the rest.",
    )
    rows["file"] = rows.file.map({name: posixpath.normpath(name) for name in rows.file.unique()})
    _refuse(
        table,
        rows,
        ~rows.split.isin(["", *SPLITS]),
        lambda row: f"the split {row.split!r} is none of {', '.join(SPLITS)}: write one of them.",
    )
    if classes is not None:
        _refuse(table, rows, ~rows.label.isin(classes), lambda row: _unknown_label(row.label, classes))


def _empty(name: str, _: Any) -> str:
    return f"the {name} is empty: fill it in, or remove the row."


def _leaves(name: str) -> bool:
    """Returns whether a path leads out of its folder."""
    short = posixpath.normpath(name)
    return short == ".." or short.startswith(("/", "../"))


def _unknown_label(label: str, classes: Sequence[str]) -> str:
    near = difflib.get_close_matches(label, classes, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "correct it, or add it to the classes."
    return f"the label {label!r} is none of the {len(classes)} classes: {hint}"


def _check_times(table: Path, rows: "pd.DataFrame") -> None:
    """Checks start and end, and makes numbers of them; `nan` where both are empty."""
    to_numeric = need("pandas", "read_labels").to_numeric
    start, end = rows.start, rows.end
    _refuse(
        table,
        rows,
        (start == "") != (end == ""),
        lambda row: f"start {row.start!r} and end {row.end!r} go together: give both, or leave both empty.",
    )
    numbers = {name: to_numeric(rows[name], errors="coerce").astype(float) for name in TIME_COLUMNS}
    for name, values in numbers.items():
        good = values.between(0, float("inf"), inclusive="left") | (rows[name] == "")
        _refuse(table, rows, ~good, partial(_no_seconds, name))
    _refuse(
        table,
        rows,
        numbers["end"] <= numbers["start"],
        lambda row: f"end {row.end!r} must lie behind start {row.start!r}: correct one of them.",
    )
    for name, values in numbers.items():
        rows[name] = values


def _no_seconds(name: str, row: Any) -> str:
    return f"{name} {row[name]!r} is no number of seconds: write it as in 12.5, from 0 on."


def _check_splits(table: Path, rows: "pd.DataFrame") -> None:
    """Checks that all rows have a split, or none, and those of a file the same one."""
    given = int((rows.split != "").sum())
    if not given:
        return
    _refuse(
        table,
        rows,
        rows.split == "",
        lambda row: f"the split is empty, but {given} rows have one: fill in all, or none, and files are drawn.",
    )
    first = rows.groupby("file")[["split", "line"]].transform("first")
    _refuse(
        table,
        rows,
        rows.split != first.split,
        lambda row: (
            f"{row.file!r} is in {row.split}, but in {first.split[row.name]} in line {first.line[row.name]}: a file "
            "belongs to one split."
        ),
    )
