"""`crossmodal TASK compare`: several systems, several seeds, one table with the published scores beside ours."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossmodal.cli.study_options import add_study_options, print_commands, split_options, train_and_report
from crossmodal.evaluation.page_marks import check_page, write_between
from crossmodal.evaluation.published import in_published_order, published_for, published_score
from crossmodal.evaluation.result_table import COMPARISON, ResultTable
from crossmodal.evaluation.score_curves import write_curves
from crossmodal.evaluation.study import Study
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.names import system_names
from crossmodal.tasks.task import Task

MARK = "compare"


def compare(argv: Sequence[str], task: Task) -> int:
    """Trains systems with every seed, and writes one table of them."""
    words, options = split_options(argv)
    given = compare_parser(task).parse_args(words)
    systems = given.systems or in_published_order(task, system_names(task.name)) or [task.system]
    rows = {**{name: ("--system", name) for name in systems}, **more_rows(given.row)}
    if given.over:
        return compare_over(task, rows, tuple(options), given)
    return compare_rows(task, rows, tuple(options), given)[0]


def compare_over(
    task: Task, rows: Mapping[str, tuple[str, ...]], options: tuple[str, ...], given: argparse.Namespace
) -> int:
    """Compares the rows at every value of an option, and draws their scores over it.

    Args:
        task: The task.
        rows: Name → options of `fit`.
        options: Options of `fit` for all rows.
        given: Options as `compare_parser` parses them; `over` is `OPTION=VALUE,VALUE,…`.

    Returns:
        The exit code.

    Raises:
        ValueError: If `over` is no option with values.
    """
    option, equals, listed = given.over.partition("=")
    values = [value.strip() for value in listed.split(",") if value.strip()]
    if not option or not equals or not values:
        raise ValueError(f"compare: --over {given.over!r} is not OPTION=VALUE,VALUE, as in data.shots=1,2,4.")
    code = 0
    tables: dict[str, ResultTable | None] = {}
    for value in values:
        place = given.runs / f"{option.rpartition('.')[2]}-{value}"
        at = argparse.Namespace(**{**vars(given), "runs": place, "page": None})
        ended, table = compare_rows(task, rows, (*options, f"--{option}", value), at)
        code, tables = max(code, ended), {**tables, value: table}
    done = {value: table for value, table in tables.items() if table is not None}
    if done and (files := write_curves(given.runs, done, option, task.monitor)):
        print(f"curves written to {', '.join(map(str, files))}")
    return code


def compare_rows(
    task: Task,
    rows: Mapping[str, tuple[str, ...]],
    options: tuple[str, ...],
    given: argparse.Namespace,
    *,
    columns: tuple[str, ...] = COMPARISON,
    mark: str = MARK,
) -> tuple[int, ResultTable | None]:
    """Trains rows of options with every seed, and writes one table of them.

    Args:
        task: The task.
        rows: Name → options of `fit`.
        options: Options of `fit` for all rows.
        given: Options as `compare_parser` parses them.
        columns: Columns of the table.
        mark: Name of the two marks on the page.

    Returns:
        The exit code, and the table unless commands were printed.
    """
    baseline = given.baseline or next(iter(rows))
    # a row with further options is not what was published
    plain = {name: words[1] for name, words in rows.items() if len(words) == 2 and words[0] == "--system"}
    known = {name: published_score(task, system) for name, system in plain.items()}
    study = Study(task, options, rows, tuple(given.seeds), baseline, "compare", known)
    if given.print_commands:
        return print_commands(study, given.runs), None
    if given.page:
        check_page(given.page, mark)  # before hours of training, not after them
    remarks = published_remarks(task) if "published" in columns else []
    # no column that is empty throughout
    shown = tuple(column for column in columns if column != "published" or any(known.values()))
    code, table = train_and_report(study, given, columns=shown, remarks=remarks)
    if given.page:
        write_between(given.page, mark, table.markdown())
    return code, table


def more_rows(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the rows of `--row "NAME=OPTIONS"`: name → options of `fit`.

    Raises:
        ValueError: If one has no name.
    """
    found = {}
    for text in given:
        name, equals, words = text.partition("=")
        if not name.strip() or not equals:
            raise ValueError(f'compare: --row {text!r} is not NAME=OPTIONS, as in "late fusion=--model.edges []".')
        found[name.strip()] = tuple(shlex.split(words))
    return found


def published_remarks(task: Task) -> list[str]:
    """Returns the note on published scores; none where nothing is published of the task."""
    sources = dict.fromkeys(score.source for score in published_for(task) if score.score == task.monitor)
    if not sources:
        return []
    return [
        "Published: reported by others at their sizes and on the real data, never measured by this library; from "
        f"{'; '.join(sources)}."
    ]


def compare_parser(task: Task) -> OptionParser:
    """Returns the parser of `compare`."""
    known = ", ".join(system_names(task.name)) or task.system
    made = OptionParser(
        prog=f"crossmodal {task.name} compare",
        description="Trains several systems with several seeds; one table, the published scores beside ours.",
        epilog=f"Options of `crossmodal {task.name} fit` for all runs stand behind `--`. Finished runs are not run "
        "again, interrupted ones go on: the same command does both.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--systems", nargs="+", default=[], help=f"in the order of the rows (default: all, {known})")
    add(
        "--row",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help='another row, by its options of fit: "late fusion=--model.edges []"; may be repeated',
    )
    add("--over", metavar="OPTION=VALUES", help="one table per value, and curves over it: data.shots=1,2,4,8,16")
    add("--baseline", help="row that others are compared with (default: the first)")
    add("--page", type=Path, help=f"Markdown page that gets the table between the marks <!-- {MARK}: begin --> and end")
    add_study_options(made, f"runs/{task.name}-compare")
    return made
