"""What a run said of a film, as a file: JSON a film, by which a repeated command knows what is done, and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crossmodal.data.same_text import printable
from crossmodal.data.table_cell import safe_cell
from crossmodal.io import write_whole
from crossmodal.tasks.task import Told

Cell = str | int | float


class FilmRecord(NamedTuple):
    """What a run said of a film.

    Attributes:
        film: Name of the video file.
        by: What said it: run, task, versions.
        made_from: Stamp of all that the rows depend on.
        seconds: That were read.
        rows: Columns of every line.
    """

    film: str
    by: Mapping[str, str]
    made_from: str
    seconds: int
    rows: Sequence[Mapping[str, Cell]]


def film_record(film: Path, by: Mapping[str, str], made_from: str, seconds: int, told: Iterable[Told]) -> FilmRecord:
    """Returns the record of a film."""
    return FilmRecord(printable(film.name), by, made_from, seconds, [line.columns for line in told if line.columns])


def write_record(file: Path, record: FilmRecord) -> None:
    """Writes a record as JSON, whole or not at all."""
    write_whole(file, json.dumps(record._asdict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(file: Path) -> FilmRecord | None:
    """Returns a record; `None` where there is no whole one, which is then made anew."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return FilmRecord(**{name: found[name] for name in FilmRecord._fields})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_table(file: Path, records: Sequence[FilmRecord]) -> None:
    """Writes the rows of records as CSV under the names of their columns, the film first; whole or not at all."""
    rows = [{"film": record.film, **row} for record in records for row in record.rows]
    names = list(dict.fromkeys(["film", *(name for row in rows for name in row)]))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([_cell(row.get(name, "")) for name in names] for row in rows)
    write_whole(file, text.getvalue())


def _cell(value: Cell) -> str:
    """Returns a cell: six digits of a number, and text that no spreadsheet takes for a formula."""
    return f"{value:.6g}" if isinstance(value, float) else safe_cell(str(value))
