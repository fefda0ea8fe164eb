"""Tables of the differences between a file and a model."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

MAX_ROWS, MAX_WIDTH = 20, 46
"""Printed rows of a table, and characters of a cell."""


class Difference(NamedTuple):
    """One entry that differs: its name, and its value in the file and in the model; `None` where it does not exist."""

    name: str
    in_the_file: str | None
    in_this_model: str | None


def flatten(header: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested dictionaries to one dictionary with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in header.items():
        nested = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def dtype_and_shape(tensor: Tensor) -> str:
    """Returns dtype and shape of a tensor, as tables show them."""
    return f"{tensor.dtype} {tuple(tensor.shape)}"


def diff_table(title: str, differences: Sequence[Difference]) -> str:
    """Formats differences under a title in three columns, and counts those beyond `MAX_ROWS`."""
    cells = [("", "in the file", "in this model")]
    cells += [(entry.name, *_shorten(entry.in_the_file, entry.in_this_model)) for entry in differences[:MAX_ROWS]]
    first, second = (max(len(cell[column]) for cell in cells) for column in (0, 1))
    lines = [f"  {name:<{first}}  {there:<{second}}  {here}" for name, there, here in cells]
    more = [f"  … and {len(differences) - MAX_ROWS} more"] if len(differences) > MAX_ROWS else []
    return "\n".join([title, *lines, *more])


def _shorten(there: str | None, here: str | None) -> tuple[str, str]:
    """Cuts two cells to the width of a column; long cells start just before the first character that differs."""
    cells = ["missing" if cell is None else cell for cell in (there, here)]
    same = next((at for at, (one, other) in enumerate(zip(*cells, strict=False)) if one != other), min(map(len, cells)))
    start = max(same - 8, 0) if max(map(len, cells)) > MAX_WIDTH else 0
    left, right = (f"{'…' if start else ''}{cell[start:]}" for cell in cells)
    left, right = (cell if len(cell) <= MAX_WIDTH else f"{cell[: MAX_WIDTH - 1]}…" for cell in (left, right))
    return left, right
