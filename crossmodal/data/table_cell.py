"""Cells of CSV files that no spreadsheet takes for a formula: names and labels are the user's."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-].*[(|!=@])", re.DOTALL)
"""Text that spreadsheets evaluate, and what an escaped one begins with; an id that begins with a dash calls nothing."""


def safe_cell(text: str) -> str:
    """Returns text as a cell: an apostrophe before what a spreadsheet would evaluate."""
    return f"'{text}" if _FORMULA.match(text) else text


def plain_cell(cell: str) -> str:
    """Returns the text of a cell that `safe_cell` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def csv_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Returns a frame as CSV; texts are escaped by `safe_cell`.

    Args:
        frame: The table.
        **options: Of `DataFrame.to_csv`.
    """
    safe = frame.map(lambda cell: safe_cell(cell) if isinstance(cell, str) else cell)
    return str(safe.to_csv(index=False, lineterminator="\n", **options))
