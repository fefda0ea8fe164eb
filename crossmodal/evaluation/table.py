"""The table of an ablation: as text, Markdown, CSV and LaTeX, and as a figure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from crossmodal.evaluation.latex import tabular
from crossmodal.io import write_whole
from crossmodal.ledger.sheet import shown
from crossmodal.metrics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE = "–"


class Row(NamedTuple):
    """What the runs of one variant found; shares in [0, 1].

    - `seeds`, `accuracy`: of every finished run.
    - `difference`: to the full model, with its interval; `None` for the full model itself.
    - `gaps`: the difference of every seed that both have.
    - `trained`: parameters. `operations`: of a training step; `None` where they cannot be counted.
    """

    name: str
    seeds: tuple[int, ...]
    accuracy: tuple[float, ...]
    difference: Interval | None
    gaps: tuple[float, ...]
    trained: int
    operations: int | None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; one seed has none."""
        return stdev(self.accuracy) if len(self.accuracy) > 1 else None


@dataclass(frozen=True)
class AblationTable:
    """What an ablation found. `print` shows the table.

    - `rows`: of the variants of which a run is finished. `baseline`: the name of the full model's.
    - `seeds`, `variants`: that were asked for. `clips`: of a training step.
    - `majority`: the accuracy of the most frequent label, over the seeds of the full model.
    """

    rows: tuple[Row, ...]
    baseline: str
    seeds: tuple[int, ...]
    variants: tuple[str, ...]
    clips: int
    majority: float

    def __getitem__(self, name: str) -> Row:
        """The row of a variant; `KeyError` where none of its runs is finished."""
        return {row.name: row for row in self.rows}[name]

    def __str__(self) -> str:
        head, *body = self._cells()
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in (head, *body)]
        return "\n".join([*lines, "", *self.notes()])

    def markdown(self) -> str:
        """The table in Markdown, and what is to be said of it."""
        head, *body = self._cells()
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
        table = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
        return "\n".join([*table, "", *(f"- {note}" for note in self.notes())]) + "\n"

    def latex(self) -> str:
        """A `tabular` with the rules of booktabs."""
        head, *body = self._cells()
        return tabular(head, body, self.notes())

    def csv(self) -> str:
        """A line a variant, shares in [0, 1], whole numbers in full; what there is not is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = ("mean", "deviation", "difference", "low", "high", "trained_parameters", "operations_per_step")
        writer.writerow(["variant", "seeds", *names, *(f"accuracy_seed_{seed}" for seed in self.seeds)])
        for row in self.rows:
            found = dict(zip(row.seeds, row.accuracy, strict=True))
            numbers = [fmean(row.accuracy), row.deviation, *(row.difference or (None,) * 3), row.trained]
            writer.writerow([row.name, len(row.seeds), *numbers, row.operations, *map(found.get, self.seeds)])
        return text.getvalue()

    def figure(self) -> "Figure":
        """The differences with their intervals, and those of every seed. Raises `ImportError` without matplotlib."""
        from crossmodal.evaluation.figure import drawn

        return drawn(self)

    def write(self, folder: Path) -> list[Path]:
        """Writes `table.md`, `table.csv`, `table.tex` and `figure.svg`, each whole or not at all."""
        from crossmodal.evaluation.figure import as_svg

        kinds = {"table.md": self.markdown, "table.csv": self.csv, "table.tex": self.latex}
        for name, made in {**kinds, "figure.svg": lambda: as_svg(self.figure())}.items():
            write_whole(folder / name, made())
        return [folder / name for name in (*kinds, "figure.svg")]

    def notes(self) -> list[str]:
        """How to read the table, and what is missing in it."""
        seeds = " ".join(map(str, self.seeds))
        said = [
            f"Accuracy is the share of right seconds: mean ± standard deviation over seeds {seeds}; the most frequent "
            f"label alone would get {100 * self.majority:.1f} %.",
            f"Difference to “{self.baseline}” in points, paired by seed and clip, with its 95 % bootstrap interval "
            f"over seeds × clips. FLOP of a training step on {self.clips} clips.",
        ]
        if any(len(row.seeds) == 1 for row in self.rows):
            said.append("Of one seed there is no standard deviation, and the interval is over clips alone.")
        done = {row.name: row.seeds for row in self.rows}
        missing = {name: [seed for seed in self.seeds if seed not in done.get(name, ())] for name in self.variants}
        told = [f"{name} (seeds {' '.join(map(str, seeds))})" for name, seeds in missing.items() if seeds]
        return [*said, *([f"Not finished: {', '.join(told)}."] if told else [])]

    def _cells(self) -> Sequence[list[str]]:
        head = ["", "accuracy, %", f"difference to {self.baseline}", "trained parameters", "FLOP a step"]
        return [head, *([row.name, _accuracy(row), _difference(row), *_sizes(row)] for row in self.rows)]


def _accuracy(row: Row) -> str:
    spread = "" if row.deviation is None else f" ± {100 * row.deviation:.1f}"
    return f"{100 * fmean(row.accuracy):.1f}{spread}"


def _difference(row: Row) -> str:
    if row.difference is None:
        return NONE
    value, low, high = (100 * number for number in row.difference)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _sizes(row: Row) -> list[str]:
    return [f"{row.trained:,}", NONE if row.operations is None else shown(row.operations)]
