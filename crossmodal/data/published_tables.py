"""Tables and lists of published data sets: what is read is what is written there, or the file and line are named."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from .same_text import is_utf8, look_alike, unprintable

SPLITS = ("train", "val", "test")
_SPLIT_WORDS = frozenset(
    ("train", "training", "trn", "val", "valid", "validation", "dev", "eval", "test", "testing", "tst")
)


class TableRow(NamedTuple):
    """Row of a table.

    Attributes:
        line: Line of the file that it ends in.
        cells: Column → text.
    """

    line: int
    cells: Mapping[str, str]


def read_text(file: Path, owner: str) -> str:
    """Returns the content of a text file; a byte order mark is left out.

    Args:
        file: The file.
        owner: Name of the data set in errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8, saying from which byte on.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{owner}: {file} is missing: copy the released file there.")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{owner}: {file} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8."
        ) from error


def csv_lines(
    file: Path, owner: str, *, delimiter: str = ",", quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
) -> Iterator[tuple[int, list[str]]]:
    """Yields the line in which a row of a table ends, and its fields; a row of several lines has them in whole quotes.

    A reader that is strict throughout would refuse quotes within a line, which harm nothing; a lenient one lets a stray
    quote swallow all further rows.

    Args:
        file: The table.
        owner: Name of the data set in errors.
        delimiter: What separates fields.
        quoting: `csv.QUOTE_MINIMAL`, or `csv.QUOTE_NONE`: quotes are characters like others.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8, or a quote is not closed where its field ends.
    """
    lines, before = list(io.StringIO(read_text(file, owner), newline="")), 0
    table = csv.reader(lines, delimiter=delimiter, quoting=quoting)
    try:
        for row in table:
            if table.line_num - before > 1:
                list(csv.reader(lines[before : table.line_num], delimiter=delimiter, quoting=quoting, strict=True))
            yield table.line_num, row
            before = table.line_num
    except csv.Error as error:
        raise ValueError(
            f"{owner}: {file}, line {before + 1}: a quote opens there that is not closed where its field ends "
            f"({error}): close it, or write one that belongs to the text twice, in quotes."
        ) from error


def read_columns(
    file: Path, owner: str, columns: Sequence[str], *, delimiter: str, quoting: Literal[0, 3]
) -> list[TableRow]:
    """Reads the rows of a table whose first line names its columns; other columns are not checked.

    Args:
        file: The table.
        owner: Name of the data set in errors.
        columns: Columns that it must have.
        delimiter: What separates fields.
        quoting: `csv.QUOTE_MINIMAL`, or `csv.QUOTE_NONE`: quotes are characters like others.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not UTF-8, lacks a column or has one twice, a row has more fields than columns, or a quote
            is not closed.
    """
    table = csv_lines(file, owner, delimiter=delimiter, quoting=quoting)
    _, names = next(table, (0, []))
    separated = {"\t": "tabs", ",": "commas"}.get(delimiter, repr(delimiter))
    if missing := [name for name in columns if name not in names]:
        raise ValueError(
            f"{owner}: {file} has the columns {', '.join(names or ['none'])}, but needs {missing[0]}: its first line "
            f"must be {' '.join(columns)}, separated by {separated}."
        )
    if twice := [name for name in columns if names.count(name) > 1]:
        raise ValueError(f"{owner}: {file} has the column {twice[0]} twice: remove one.")
    found = []
    for line, row in table:
        if any(field.strip() for field in row[len(names) :]):
            raise ValueError(
                f"{owner}: {file}, line {line}: more fields than the {len(names)} columns {' '.join(names)}, separated "
                f"by {separated}: remove {row[len(names) :]!r}."
            )
        if row:  # no blank line
            cells = dict(zip(names, row, strict=False))
            found.append(TableRow(line, {name: cells.get(name, "") for name in columns}))
    return found


def unusable(name: str) -> str:
    """Returns why a name of a table can be no name of a file or folder; empty where it can.

    A name becomes a path: it must not lead elsewhere, and a file of results must be able to hold it.
    """
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        return "it must be a plain file name"
    return f"it {why}" if (why := unwritable(name)) else ""


def unwritable(text: str) -> str:
    """Returns why a text cannot stand in a table of results: `holds …`; empty where it can."""
    if not is_utf8(text):
        return "holds what is no character"
    return f"holds {strange}" if (strange := unprintable(text)) else ""


def means_a_split(text: str) -> bool:
    """Returns whether a text is easily taken for one of `train`, `val` and `test`, spelt in whatever way."""
    return look_alike(text).strip(" \t.'\"") in _SPLIT_WORDS


def numbered(names: Iterable[str]) -> list[str]:
    """Returns unique names: the second of equal ones gets `#2` behind it, and so on."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def told_twice(names: Mapping[str, Sequence[str]], what: str = "clips") -> list[str]:
    """Returns sentences about names that stand twice in a split, or in training and in a held-out split.

    Args:
        names: Split → its names as its table has them.
        what: What they are names of.
    """
    said = []
    for split, of_split in names.items():
        twice = [name for name, count in Counter(of_split).items() if count > 1]
        if twice:
            said.append(f"{len(twice)} {what} of {split} stand twice, the first {twice[0]}: all are kept")
    trained = {*names.get("train", ())}
    for split in (split for split in names if split != "train"):
        if both := [name for name in dict.fromkeys(names[split]) if name in trained]:
            said.append(
                f"{len(both)} {what} of {split} stand in train, too, the first {both[0]}: scores on them are not of "
                "unseen ones"
            )
    return said
