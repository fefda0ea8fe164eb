"""Rows of a `labels.csv`, checked: what is wrong is named with line, value and fix."""

import difflib
import posixpath
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..extras import need
from ..published_tables import SPLITS
from ..same_text import plain_text, same_name, same_text, unprintable
from .table_rows import NEEDED, OPTIONAL, TextRows, read_text_rows

if TYPE_CHECKING:
    import pandas as pd

TIME_COLUMNS = ("start", "end")
LONGEST = 1e6
"""Seconds: eleven days and a half."""


class LabelTable(NamedTuple):
    """Table that was read.

    Attributes:
        rows: Columns `file`, `label`, `split` (text; no split is empty), `start`, `end` (seconds; `nan` where the label
            holds throughout) and `line` of the table.
        notes: Sentences about what was assumed, and what was not read.
    """

    rows: "pd.DataFrame"
    notes: list[str]


def read_label_table(table: Path, classes: Sequence[str] | None = None) -> LabelTable:
    """Reads the rows of a table whose first line names the columns `file,label[,start,end][,split]` in any order.

    The delimiter is the commonest of comma, semicolon, tab and bar in the first line; quotes and a byte order mark are
    understood. Start and end may have other names that are usual for them; columns that are not read are told. Texts
    that look the same, composed or not, with invisible characters or not, are the same.

    Args:
        table: The CSV.
        classes: Labels that are allowed; `None` allows all.

    Returns:
        Its rows and the notes on them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row cannot be understood; the first one is named.
    """
    if not table.is_file():
        raise FileNotFoundError(f"read_labels: there is no file {table}: give a CSV of the columns file,label.")
    try:
        read = read_text_rows(table)
    except UnicodeDecodeError as error:
        raise ValueError(f"read_labels: {table} is not UTF-8 ({error.reason}): save it as UTF-8.") from error
    rows = _frame(read)
    if not len(rows):
        raise ValueError(f"read_labels: {table} has no row below the names of its columns: add file,label rows.")
    _check_texts(table, rows)
    notes = [*read.notes, *_merge_twins(rows, classes)]
    if classes is not None:
        _refuse(table, rows, ~rows.label.isin(classes), lambda row: _unknown_label(row.label, classes))
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
    return LabelTable(rows, notes)


def _frame(rows: TextRows) -> "pd.DataFrame":
    """Returns the rows as a frame; a column that the table lacks is empty."""
    pandas, count = need("pandas", "read_labels"), len(rows.lines)
    columns = {name: rows.columns.get(name, [""] * count) for name in (*NEEDED, *OPTIONAL)}
    return pandas.DataFrame({**columns, "line": rows.lines}, dtype=object).astype({"line": int})


def _merge_twins(rows: "pd.DataFrame", classes: Sequence[str] | None) -> Iterator[str]:
    """Writes labels, and files, that look the same in one way each; yields sentences about those that differed."""
    given = {same_text(name): name for name in classes or ()}
    for column, key, form in (("label", same_text, plain_text), ("file", same_name, str)):
        counts = rows[column].value_counts(sort=True)
        spelt: dict[str, list[str]] = {}
        for text in counts.index:
            spelt.setdefault(key(text), []).append(text)
        known = given if column == "label" else {}
        forms = {text: known.get(same, form(texts[0])) for same, texts in spelt.items() for text in texts}
        rows[column] = rows[column].map(forms)
        for texts in spelt.values():
            if len(texts) > 1:
                ways = ", ".join(ascii(text) for text in sorted(texts))
                yield f"{column} {forms[texts[0]]!r} is written in {len(texts)} ways, which are read as one: {ways}"


def _refuse(table: Path, rows: "pd.DataFrame", wrong: "pd.Series[bool]", words: Callable[[Any], str]) -> None:
    """Raises `ValueError` for the first row that is wrong, if there is one."""
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise ValueError(f"read_labels: {table}, line {row.line}: {words(row)}")


def _check_texts(table: Path, rows: "pd.DataFrame") -> None:
    """Checks files, labels and names of splits; writes every path in its shortest form."""
    for name in NEEDED:
        _refuse(table, rows, rows[name] == "", partial(_empty, name))
        strange = {text: unprintable(text) for text in rows[name].unique()}
        _refuse(table, rows, rows[name].map(strange) != "", partial(_unprintable, name))
        _refuse(table, rows, rows[name].map(same_text) == "", partial(_empty, name))
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


def _empty(name: str, _: Any) -> str:
    return f"the {name} is empty: fill it in, or remove the row."


def _unprintable(name: str, row: Any) -> str:
    fix = "a quote is missing or too many" if "break" in unprintable(row[name]) else "remove it"
    return f"the {name} {row[name]!r} holds {unprintable(row[name])}: {fix}."


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
        _refuse(table, rows, values.between(LONGEST, float("inf"), inclusive="neither"), partial(_no_film, name))
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


def _no_film(name: str, row: Any) -> str:
    return f"{name} {row[name]!r} is more seconds than any film has: write seconds, not milliseconds or samples."


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
