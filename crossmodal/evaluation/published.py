"""Scores that others published, with their source: `python -m crossmodal.evaluation.published AVE --run runs/first`.

They are printed beside scores of our own runs and never among them: this library measured none of them.
"""

import csv
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from crossmodal.option_parser import OptionParser
from crossmodal.tasks.task import Task
from crossmodal.training.run_folder import CONFIG, MONITOR, SUMMARY, TEST, read_summary

FILE = Path(__file__).with_name("published.csv")


class PublishedScore(NamedTuple):
    """One published score, in percent, as its source prints it.

    Attributes:
        task: Name of the published table, such as `AVE` or `AVS-S4`.
        method: As the table calls it.
        system: Names of the recipe files of that method, separated by spaces.
        encoders: Where the source says which.
        metric: In words.
        score: Name of the same score among those of the task; empty where the task has none.
        percent: The number.
        items: Number of test items; empty where it is not known.
        source: Who says so.
    """

    task: str
    method: str
    system: str
    encoders: str
    metric: str
    score: str
    percent: str
    items: str
    source: str


def published(table: str | None = None) -> list[PublishedScore]:
    """Returns the published scores, in the order of their tables.

    Args:
        table: Name of one table; `None` for all.

    Raises:
        ValueError: If there is no such table.
    """
    with FILE.open(newline="", encoding="utf-8") as opened:
        found = [PublishedScore(**row) for row in csv.DictReader(opened)]
    tables = dict.fromkeys(score.task for score in found)
    if table not in (None, *tables):
        raise ValueError(f"published: task={table!r} is none of {', '.join(tables)}.")
    return [score for score in found if table in (None, score.task)]


def published_for(task: Task) -> list[PublishedScore]:
    """Returns the published scores of a task by name; a task may have several tables, as AVS-S4 and AVS-MS3."""
    return [score for score in published() if score.task.lower().partition("-")[0] == task.name]


def published_scores(task: Task, system: str, settings: Container[str] = ()) -> dict[str, str]:
    """Returns what is published of a system: name of a score of the task → percent.

    Args:
        task: The task.
        system: Name of the system.
        settings: Values of the options of the data: a table of just one setting, as AVS-S4 of `s4`, then stands alone.
            Otherwise there is a percent for every table of the task.
    """
    known = [score for score in published_for(task) if score.score and system in score.system.split()]
    of_setting = [score for score in known if score.task.lower().partition("-")[2] in settings]
    found: dict[str, list[str]] = {}
    for score in of_setting or known:
        found.setdefault(score.score, []).append(score.percent)
    return {score: " / ".join(percents) for score, percents in found.items()}


def in_published_order(task: Task, systems: Sequence[str]) -> list[str]:
    """Returns systems in the order of the published table; those that are not in it come last, in their own order."""
    known = [name for score in published_for(task) for name in score.system.split()]
    return sorted(systems, key=lambda name: known.index(name) if name in known else len(known))


def published_table(table: str, runs: Sequence[Path] = ()) -> str:
    """Returns a published table and, apart from it, the test scores of our own runs with the data that they are of.

    Args:
        table: Its name.
        runs: Folders of finished runs.

    Raises:
        FileNotFoundError: If a run has no summary.
        ValueError: If a run was not tested, or is of another task.
    """
    scores = published(table)
    lines = [f"{table}, published by others; not measured by this library:"]
    for score in scores:
        method = f"{score.method} ({score.encoders})" if score.encoders else score.method
        lines.append(f"  {score.percent:>6}  {score.metric:<26} {method}")
    lines += [f"  from: {source}" for source in dict.fromkeys(score.source for score in scores)]
    if runs and table != "AVE":
        raise ValueError(f"published: runs are of AVE, and cannot stand beside the table of {table}: leave out --run.")
    return "\n".join([*lines, *(["", "Runs of ours:"] if runs else []), *map(_own, runs)])


def _own(run: Path) -> str:
    """Returns the line of one of our runs."""
    summary = read_summary(run)
    if not summary:
        raise FileNotFoundError(
            f"published: run {run} has no {SUMMARY}: it is no finished run of `crossmodal ave fit`."
        )
    if TEST not in summary:
        raise ValueError(f"published: run {run} was not tested: `crossmodal ave test --run {run}` does.")
    root = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))["data"].get("root")
    remarks = [f"on {root}" if root else "on the built-in world, so not comparable"]
    remarks += ["selected on the test split"] if summary.get("selected_on") == "test" else []
    monitor = summary.get(MONITOR, "accuracy")
    return f"  {100 * summary[TEST][monitor]:6.1f}  {monitor:<26} {run}: {'; '.join(remarks)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the tables asked for; returns the exit code."""
    parser = OptionParser(
        prog="python -m crossmodal.evaluation.published", description="Prints scores that others published."
    )
    tables = list(dict.fromkeys(score.task for score in published()))
    parser.add_argument("task", nargs="?", choices=tables, default="AVE", help="default: AVE")
    parser.add_argument("--run", type=Path, action="append", default=[], help="a run of ours to print beside them")
    given = parser.parse_args(argv)
    try:
        print(published_table(given.task, given.run))
    except (ValueError, OSError) as error:
        print(f"crossmodal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
