"""Figures that others published, with their source: `python -m crossmodal.evaluation.published AVE --run runs/first`.

They are printed beside figures of runs of ours and never among them: nothing here was measured by this library.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from crossmodal.cli.main import in_words
from crossmodal.training.run_folder import CONFIG, SUMMARY

FILE = Path(__file__).with_name("published.csv")


class Figure(NamedTuple):
    """One published figure, in percent, as its source prints it.

    - `encoders`: where the source says which. `metric`: as in `crossmodal.metrics`. `source`: who says so.
    """

    task: str
    method: str
    encoders: str
    metric: str
    percent: str
    source: str


def published(task: str | None = None) -> list[Figure]:
    """The figures of one task, or of all, in the order of their tables. `ValueError` where there is no such task."""
    with FILE.open(newline="", encoding="utf-8") as opened:
        figures = [Figure(**row) for row in csv.DictReader(opened)]
    tasks = dict.fromkeys(figure.task for figure in figures)
    if task not in (None, *tasks):
        raise ValueError(f"published: task={task!r} is none of {', '.join(tasks)}.")
    return [figure for figure in figures if task in (None, figure.task)]


def beside(task: str, runs: Sequence[Path] = ()) -> str:
    """The published table of a task and, apart from it, the test accuracy of runs of ours with what it is of.

    Raises `FileNotFoundError` where a run has no summary, `ValueError` where it was not tested or is of another task.
    """
    table = published(task)
    lines = [f"{task}, published by others; not measured by this library:"]
    for figure in table:
        method = f"{figure.method} ({figure.encoders})" if figure.encoders else figure.method
        lines.append(f"  {figure.percent:>6}  {figure.metric:<26} {method}")
    lines += [f"  from: {source}" for source in dict.fromkeys(figure.source for figure in table)]
    if runs and task != "AVE":
        raise ValueError(f"published: runs are of AVE, and cannot stand beside the table of {task}: leave out --run.")
    return "\n".join([*lines, *(["", "Runs of ours:"] if runs else []), *map(_own, runs)])


def _own(run: Path) -> str:
    if not (run / SUMMARY).is_file():
        raise FileNotFoundError(
            f"published: run {run} has no {SUMMARY}: it is no finished run of `crossmodal ave fit`."
        )
    summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
    if "test_accuracy" not in summary:
        raise ValueError(f"published: run {run} was not tested: `crossmodal ave test --run {run}` does.")
    root = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))["data"]["root"]
    remarks = [f"on {root}" if root else "on the built-in world, so not comparable"]
    remarks += ["selected on the test split"] if summary.get("selected_on") == "test" else []
    return f"  {100 * summary['test_accuracy']:6.1f}  accuracy                   {run}: {'; '.join(remarks)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the tables asked for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m crossmodal.evaluation.published", description="Figures that others published."
    )
    tasks = list(dict.fromkeys(figure.task for figure in published()))
    parser.add_argument("task", nargs="?", choices=tasks, default="AVE", help="default: AVE")
    parser.add_argument("--run", type=Path, action="append", default=[], help="a run of ours to print beside them")
    given = parser.parse_args(argv)

    def show() -> int:
        print(beside(given.task, given.run))
        return 0

    return in_words(show)


if __name__ == "__main__":
    sys.exit(main())
