"""Cells of CSV files and texts in Markdown that are shown as they are: names and labels are the user's."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-].*[(|!=@])", re.DOTALL)
"""Text that spreadsheets evaluate, and what an escaped one begins with; an id that begins with a dash calls nothing."""

_MARKUP = re.compile(r"[*`$]|(?<![^\W_])_|_(?![^\W_])|\](?=\()")
"""What Markdown does not show as it stands."""


def safe_cell(text: str) -> str:
    """Returns text as a cell: an apostrophe before what a spreadsheet would evaluate."""
    return f"'{text}" if _FORMULA.match(text) else text


def plain_cell(cell: str) -> str:
    """Returns the text of a cell that `safe_cell` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def in_markdown(text: str) -> str:
    """Returns text of a user as Markdown that shows it as it is: no tag, no formula, no emphasis, no code.

    An underscore within a word stands for itself there, and brackets do without an address behind them.
    """
    return _MARKUP.sub(r"\\\g<0>", text.replace("<", "&lt;"))


def csv_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Returns a frame as CSV; texts are escaped by `safe_cell`.

    Args:
        frame: The table.
        **options: Of `DataFrame.to_csv`.
    """
    safe = frame.map(lambda cell: safe_cell(cell) if isinstance(cell, str) else cell)
    return str(safe.to_csv(index=False, lineterminator="\n", **options))
