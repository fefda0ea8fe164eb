"""Logger of `metrics.csv`: one row per step, written whole and continued when the run resumes."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger

from crossmodal.io import write_whole


class MetricsFile(Logger):
    """Keeps every logged row of a run in one table.

    Unlike Lightning's own CSV logger it keeps the rows of a run that resumes, up to the step it resumes from, and
    never leaves half a file.
    """

    def __init__(self, file: Path, *, steps: int = 0):
        """Opens the table.

        Args:
            file: CSV file.
            steps: Steps that a resumed run has behind it; rows of later ones are dropped.
        """
        super().__init__()
        self.file = file
        self.rows: list[dict[str, Any]] = []
        if steps and file.is_file():
            with file.open(newline="", encoding="utf-8") as opened:
                rows = [{name: value for name, value in row.items() if value != ""} for row in csv.DictReader(opened)]
            self.rows = [row for row in rows if int(row["step"]) < steps]  # the run will log the others once more

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.file.parent.name

    @property
    def version(self) -> str:
        """Empty: a run has one table."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the configuration has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds a row."""
        self.rows.append({"step": len(self.rows) if step is None else step, **metrics})

    @rank_zero_only
    def save(self) -> None:
        """Writes the table."""
        names = ["step", *sorted({name for row in self.rows for name in row} - {"step"})]
        table = io.StringIO()
        writer = csv.DictWriter(table, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_whole(self.file, table.getvalue())
