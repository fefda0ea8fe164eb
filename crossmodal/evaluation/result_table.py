"""Table of an ablation or a comparison: one pandas frame as text, Markdown, CSV and LaTeX, and a figure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from crossmodal.data.extras import need
from crossmodal.data.table_cell import csv_text, in_markdown
from crossmodal.io import write_whole
from crossmodal.ledger.table import with_unit
from crossmodal.metrics import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE = "–"
ABLATION = ("score", "difference", "trained", "operations")
COMPARISON = ("score", "seeds", "difference", "trained", "operations", "seconds", "published")
SIGNS = str.maketrans(
    {
        "±": r"$\pm$",
        "→": r"$\rightarrow$",
        "←": r"$\leftarrow$",
        "×": r"$\times$",
        "–": "--",
        "…": r"\dots{}",
        "α": r"$\alpha$",
        "β": r"$\beta$",
        "γ": r"$\gamma$",
        "“": "``",
        "”": "''",
    }
)
"""Signs that LaTeX lacks in the encoding of its fonts; all others are escaped by pandas."""


class OtherScore(NamedTuple):
    """A score beside the monitor, of one variant.

    Attributes:
        scores: Of every finished run in which something was asked that it counts; shares in [0, 1].
        published: Percent that others published of it; empty where nothing is known.
    """

    scores: tuple[float, ...]
    published: str = ""


class ResultRow(NamedTuple):
    """Results of the finished runs of one variant; scores are shares in [0, 1].

    Attributes:
        name: Of the variant.
        seeds: Seeds of its finished runs.
        scores: Test score of each.
        difference: To the baseline, with its interval; `None` for the baseline itself.
        gaps: Difference to the baseline of every seed that both have.
        trained: Number of trained parameters.
        operations: Floating-point operations of a training step; `None` where they cannot be counted.
        published: Percent that others published of it; empty where nothing is known.
        seconds: Duration of each run.
        others: Name → score beside the monitor.
    """

    name: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    difference: Interval | None
    gaps: tuple[float, ...]
    trained: int
    operations: int | None = None
    published: str = ""
    seconds: tuple[float, ...] = ()
    others: Mapping[str, OtherScore] = MappingProxyType({})

    @property
    def mean(self) -> float:
        """Mean score over seeds."""
        return fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; `None` for one seed."""
        return stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class ResultTable:
    """Results of a study; `print` shows the table.

    Attributes:
        rows: Variants of which a run is finished.
        baseline: Name of the row that others are compared with.
        seeds: Seeds that were asked for.
        variants: Names that were asked for.
        items: Items of a training step.
        score: Name of the score, the task's monitor.
        unit: What the score counts, such as `"% of segments"`.
        chance: Score of a model that looks at nothing; `None` where it is not known.
        columns: Columns that are shown, of those of `CELLS`.
        remarks: More notes below the table.
        others: Scores beside the monitor that a second table shows; of all others, the CSV file has the means.
    """

    rows: tuple[ResultRow, ...]
    baseline: str
    seeds: tuple[int, ...]
    variants: tuple[str, ...]
    items: int
    score: str = "accuracy"
    unit: str = "% of segments"
    chance: float | None = None
    columns: tuple[str, ...] = ABLATION
    remarks: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> ResultRow:
        """Returns the row of a variant; `KeyError` where none of its runs is finished."""
        return {row.name: row for row in self.rows}[name]

    def with_remarks(self, remarks: Sequence[str]) -> "ResultTable":
        """Returns the table with more notes below it."""
        return replace(self, remarks=(*self.remarks, *remarks))

    def __str__(self) -> str:
        shown = (frame.set_index("").rename_axis(None).to_string() for frame in self.tables())
        return "\n\n".join([*shown, "\n".join(self.notes())])

    def markdown(self) -> str:
        """Returns the table in Markdown, and the notes as a list."""
        need("tabulate", "a table in Markdown")
        shown = []
        for frame in self.tables():
            sides = ("left", *("right" for _ in frame.columns[1:]))
            cells = frame.map(_in_markdown).rename(columns=_in_markdown)
            # tabulate would write the cells that look like numbers in its own way
            shown += [str(cells.to_markdown(index=False, colalign=sides, disable_numparse=True)), ""]
        return "\n".join([*shown, *(f"- {in_markdown(_in_one_line(note))}" for note in self.notes())]) + "\n"

    def latex(self) -> str:
        """Returns a `tabular` a table with the rules of booktabs; the notes are comments before them."""
        shown = [
            str(frame.to_latex(index=False, escape=True, column_format="l" + "r" * len(frame.columns[1:])))
            for frame in self.tables()
        ]
        notes = [f"% {' '.join(note.split())}\n" for note in self.notes()]
        return "".join([*notes, "% needs \\usepackage{booktabs}\n", "\n".join(shown).translate(SIGNS)])

    def csv(self) -> str:
        """Returns a line per variant: shares in [0, 1], whole numbers in full, empty where there is nothing."""
        return csv_text(self.frame())

    def frame(self) -> Any:
        """Returns the numbers as a pandas frame, a row per variant."""
        pandas = need("pandas", "a table of results")
        lines = []
        for row in self.rows:
            value, low, high = row.difference or (None, None, None)
            by_seed = dict(zip(row.seeds, row.scores, strict=True))
            lines.append(
                {"variant": row.name, "seeds": len(row.seeds), "mean": row.mean, "deviation": row.deviation}
                | {"difference": value, "low": low, "high": high, "trained_parameters": row.trained}
                | {"operations_per_step": row.operations, "published_percent": row.published}
                | {"seconds": median(row.seconds) if row.seconds else None}
                | {f"{self.score}_seed_{seed}": by_seed.get(seed) for seed in self.seeds}
                | {f"{name}_mean": fmean(other.scores) for name, other in row.others.items() if other.scores}
            )
        found = pandas.DataFrame(lines).astype({"operations_per_step": "Int64"})
        return found if "published" in self.columns else found.drop(columns="published_percent")

    def cells(self) -> Any:
        """Returns the cells as they are shown, a pandas frame of texts."""
        pandas = need("pandas", "a table of results")
        titles = {
            "score": f"{self.score}, %",
            "seeds": "of each seed",
            "difference": f"difference to {self.baseline}",
            "trained": "trained parameters",
            "operations": "FLOP a step",
            "seconds": "seconds a run",
            "published": "published, %",
        }
        columns = {titles[name]: [CELLS[name](row) for row in self.rows] for name in self.columns}
        return pandas.DataFrame({"": [row.name for row in self.rows], **columns})

    def tables(self) -> Iterator[Any]:
        """Yields the tables as they are shown, frames of texts: that of the monitor, and that of `others`."""
        yield self.cells()
        if self.others:
            pandas = need("pandas", "a table of results")
            columns = {f"{name}, %": [_other(row.others.get(name)) for row in self.rows] for name in self.others}
            yield pandas.DataFrame({"": [row.name for row in self.rows], **columns})

    def figure(self) -> "Figure":
        """Draws the differences with their intervals, and those of every seed.

        Raises:
            ImportError: Without matplotlib.
        """
        from crossmodal.evaluation.difference_figure import difference_figure

        return difference_figure(self)

    def write(self, folder: Path) -> list[Path]:
        """Writes `table.md`, `table.csv`, `table.tex` and `figure.svg`, each whole or not at all."""
        from crossmodal.evaluation.difference_figure import svg_text

        forms: dict[str, Callable[[], str]] = {
            "table.md": self.markdown,
            "table.csv": self.csv,
            "table.tex": self.latex,
            "figure.svg": lambda: svg_text(self.figure()),
        }
        for name, made in forms.items():
            write_whole(folder / name, made())
        return [folder / name for name in forms]

    def notes(self) -> list[str]:
        """Returns how to read the table, and what is missing in it."""
        seeds = " ".join(map(str, self.seeds))
        chance = "" if self.chance is None else f"; a model that looks at nothing would get {100 * self.chance:.1f} %"
        said = [
            f"Score: {self.score}, {self.unit}, mean ± standard deviation over seeds {seeds}{chance}.",
            f"Difference to “{self.baseline}” in points, paired by seed and item, with its 95 % bootstrap interval "
            "over seeds × items."
            + (f" FLOP of a training step on {self.items} items." if "operations" in self.columns else ""),
        ]
        if "seconds" in self.columns:
            said.append(
                "Seconds: median over seeds, from the first step to the last validation, beside whatever else ran: an "
                "order of magnitude. Features that are extracted before the first step are not counted."
            )
        if self.others:
            said.append("Other scores: mean ± standard deviation, %, and in parentheses what others published.")
        if any(len(row.seeds) == 1 for row in self.rows):
            said.append("Of one seed there is no standard deviation, and the interval is over items alone.")
        done = {row.name: row.seeds for row in self.rows}
        missing = {name: [seed for seed in self.seeds if seed not in done.get(name, ())] for name in self.variants}
        told = [f"{name} (seeds {' '.join(map(str, seeds))})" for name, seeds in missing.items() if seeds]
        return [*said, *self.remarks, *([f"Not finished: {', '.join(told)}."] if told else [])]


def _in_markdown(cell: str) -> str:
    """Returns the text of a cell or a title."""
    return in_markdown(_in_one_line(cell)).replace("|", r"\|")


def _in_one_line(text: str) -> str:
    """Returns a text without line breaks, which would end a row or a note."""
    return " ".join(text.splitlines())


def _score(row: ResultRow) -> str:
    """Returns mean ± deviation in percent."""
    return _with_spread(row.scores)


def _other(score: OtherScore | None) -> str:
    """Returns mean ± deviation in percent, and what is published."""
    if score is None or not score.scores:
        return NONE
    return _with_spread(score.scores) + (f" ({score.published})" if score.published else "")


def _with_spread(scores: Sequence[float]) -> str:
    """Returns mean ± sample standard deviation in percent; the mean alone of one score."""
    spread = f" ± {100 * stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{100 * fmean(scores):.1f}{spread}"


def _difference(row: ResultRow) -> str:
    """Returns the difference in points, and its interval."""
    if row.difference is None:
        return NONE
    value, low, high = (100 * number for number in row.difference)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


CELLS: Mapping[str, Callable[[ResultRow], str]] = MappingProxyType(
    {
        "score": _score,
        "seeds": lambda row: " ".join(f"{100 * score:.1f}" for score in row.scores),
        "difference": _difference,
        "trained": lambda row: f"{row.trained:,}",
        "operations": lambda row: NONE if row.operations is None else with_unit(row.operations),
        "seconds": lambda row: f"{median(row.seconds):.0f}" if row.seconds else NONE,
        "published": lambda row: row.published or NONE,
    }
)
"""Column → what it shows of a row."""
