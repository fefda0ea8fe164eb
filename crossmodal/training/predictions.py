"""`predictions.csv`: the scored rows of a test, whatever the task, in the order of the split."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from crossmodal.data.extras import need
from crossmodal.data.table_cell import csv_text
from crossmodal.io import write_whole
from crossmodal.tasks.task import Row

from .ranks import gather_objects

PREDICTIONS = "predictions.csv"
ITEM, VALUE, WEIGHT = "clip", "value", "weight"
"""Columns that every task's file has; the others are `Row.columns`."""

ItemRow = tuple[int, Row]
"""Index of the item in the split, and one of its rows."""


class Tested(NamedTuple):
    """What a test found.

    Attributes:
        rows: Rows of all items, in the order of the split.
        scores: Name → score.
        chance: Name → score of a model that looks at nothing.
    """

    rows: Sequence[ItemRow]
    scores: dict[str, float]
    chance: dict[str, float]


class CollectedRows:
    """Collects the rows of batches in this process, and gathers those of all processes."""

    def __init__(self) -> None:
        """Starts empty."""
        self.rows: list[ItemRow] = []

    def add(self, rows: Iterable[ItemRow]) -> None:
        """Adds the rows of one batch."""
        self.rows.extend(rows)

    def gathered(self) -> list[ItemRow]:
        """Returns the rows of all processes, by item; those of an item stay in their order."""
        rows = [row for part in gather_objects(self.rows) for row in part]
        return sorted(rows, key=lambda row: row[0])

    def reset(self) -> None:
        """Forgets all rows."""
        self.rows = []


def write_predictions(file: Path, rows: Sequence[ItemRow], names: Sequence[str]) -> None:
    """Writes a line per row, whole or not at all.

    Args:
        file: CSV file to write.
        rows: Rows by index of the item.
        names: Name of every item of the split.
    """
    pandas = need("pandas", "predictions.csv")
    lines = [
        {ITEM: names[item], **{name: _short(value) for name, value in row.columns.items()}, VALUE: row.value}
        | {WEIGHT: row.weight}
        for item, row in rows
    ]
    write_whole(file, csv_text(pandas.DataFrame(lines)))


def _short(value: str | int | float) -> str | int:
    """Returns numbers with six digits behind the point."""
    return f"{value:.6f}" if isinstance(value, float) else value
