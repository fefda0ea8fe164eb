"""Checks of a table of labels that need more than the table: what clips are made of, and how long the films are."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from ..decoding import promised_end
from ..same_text import NameFinder, look_alike
from .labels import Labels
from .windowing import Windowing, is_far_behind

LONG = 600
"""Seconds: films with events that end later are asked for their length beforehand."""

_lengths: dict[tuple[Path, int], Fraction | None] = {}


def check_reserved_labels(labels: Labels, windowing: Windowing) -> None:
    """Checks that no class bears the name of something else.

    Raises:
        ValueError: If one does.
    """
    for place, name in enumerate(labels.classes):
        if look_alike(name) in windowing.reserved and (labels.rows.label == place).any():
            line = int(labels.rows.line[labels.rows.label == place].min())
            raise ValueError(
                f"Folder: {labels.table}, line {line}: the label {name!r} is the name of seconds without an event: "
                "remove its rows, for what no row holds is background in any case, or give the label another name."
            )


def check_ends(labels: Labels, root: Path) -> None:
    """Checks the films of late events: one that ends far behind its film is in milliseconds, say, or in samples.

    Looks at the headers of those films alone; what cannot be opened is found when it is decoded.

    Raises:
        ValueError: If an event ends far behind its film, naming the line.
    """
    rows, finder = labels.rows, NameFinder(root)
    late = np.flatnonzero(rows.end > LONG)
    for row in late[np.argsort(-rows.end[late], kind="stable")].tolist():
        name, end = labels.files[int(rows.file[row])], float(rows.end[row])
        seconds = _length(finder.find(name))
        if seconds is not None and is_far_behind(end, seconds):
            raise ValueError(
                f"Folder: {labels.table}, line {rows.line[row]}: end {end:g} lies far behind {name!r}, which has "
                f"{float(seconds):.2f} s: write start and end in seconds."
            )


def _length(file: Path) -> Fraction | None:
    """Returns the seconds that a file's header promises; `None` where it cannot be known."""
    try:
        key = (file, file.stat().st_mtime_ns)
        if key not in _lengths:
            _lengths[key] = promised_end(file)
    except (OSError, ValueError):
        return None
    return _lengths[key]
