"""Tables of what differs between a file and a model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SHOWN, WIDTH = 20, 46
"""Rows of a table, and characters of a cell, that are printed."""


class Row(NamedTuple):
    """One entry that differs: its name, and how it reads there and here; `None` where it does not exist."""

    name: str
    in_the_file: str | None
    in_this_model: str | None


def flattened(header: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Entries of nested dictionaries by dotted names."""
    found: dict[str, Any] = {}
    for name, value in header.items():
        nested = isinstance(value, Mapping) and value
        found |= flattened(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return found


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows under a title, in three columns; what is cut off is counted."""
    cells = [("", "in the file", "in this model")]
    cells += [(row.name, *_cut(row.in_the_file, row.in_this_model)) for row in rows[:SHOWN]]
    first, second = (max(len(row[column]) for row in cells) for column in (0, 1))
    lines = [f"  {name.ljust(first)}  {there.ljust(second)}  {here}" for name, there, here in cells]
    more = [f"  … and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "\n".join([title, *lines, *more])


def _cut(there: str | None, here: str | None) -> tuple[str, str]:
    """Two cells, no longer than a column: long ones begin just before they part."""
    cells = ["missing" if cell is None else cell for cell in (there, here)]
    same = next((at for at, (one, other) in enumerate(zip(*cells, strict=False)) if one != other), min(map(len, cells)))
    start = max(same - 8, 0) if max(map(len, cells)) > WIDTH else 0
    left, right = (f"{'…' if start else ''}{cell[start:]}" for cell in cells)
    left, right = (cell if len(cell) <= WIDTH else f"{cell[: WIDTH - 1]}…" for cell in (left, right))
    return left, right
