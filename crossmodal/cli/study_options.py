"""Options and output shared by the verbs that train many runs: `ablate` and `compare`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crossmodal.evaluation.ablation import finished, gathered
from crossmodal.evaluation.result_table import ResultTable
from crossmodal.evaluation.study import Study
from crossmodal.option_parser import OptionParser

FAILED = 3
"""Exit code where some runs failed."""


def split_options(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the words of a verb, and those behind `--`, which are options of `fit` for every run."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def add_study_options(parser: OptionParser, runs: str) -> None:
    """Adds the options of a study; `runs` is its default folder."""
    parser.dotted = "options of `fit`, for all runs, stand behind `--`"
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default: 0 1 2 3 4")
    add("--runs", type=Path, default=Path(runs), help="folder of runs (default: %(default)s)")
    add("--workers", type=int, default=1, help="runs at a time; 0 gathers what is finished (default: 1)")
    add("--cluster", metavar="ADDRESS|FILE", help="train on a running dask cluster: its address or scheduler file")
    add("--print-commands", action="store_true", help="print a line of shell for every run to do, and run none")


def print_commands(study: Study, folder: Path) -> int:
    """Prints a line of shell for every run that is not finished; returns exit code 0."""
    print("\n".join(study.commands(folder)))
    return 0


def train_and_report(
    study: Study, given: argparse.Namespace, *, columns: tuple[str, ...], remarks: Sequence[str] = ()
) -> tuple[int, ResultTable]:
    """Finishes the runs of a study, prints the table and writes it in all forms.

    Args:
        study: The study.
        given: Options that `add_study_options` added.
        columns: Columns of the table.
        remarks: More notes below it.

    Returns:
        The exit code, 3 where runs failed, and the table of those that are finished.
    """
    code = 0
    try:
        table = finished(study, given.runs, workers=given.workers, cluster=given.cluster, columns=columns)
    except RuntimeError as error:
        # what has finished is worth a table, though others failed
        print(f"crossmodal: {study.verb}: {error}", file=sys.stderr)
        operations = {name: study.operations(name) for name in study.variants}
        table, code = gathered(study, given.runs, operations, columns=columns), FAILED
    table = table.with_remarks(remarks)
    print(table)
    print(f"\nwritten to {', '.join(map(str, table.write(given.runs)))}")
    return code, table
