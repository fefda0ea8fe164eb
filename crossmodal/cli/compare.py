"""`crossmodal TASK compare`: several systems, several seeds, one table with the published scores beside ours."""

import argparse
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from crossmodal.cli.study_options import add_study_options, print_commands, split_options, train_and_report
from crossmodal.evaluation.page_marks import check_page, write_between
from crossmodal.evaluation.published import in_published_order, published_for, published_scores
from crossmodal.evaluation.result_table import COMPARISON, ResultTable
from crossmodal.evaluation.score_figures import write_bars, write_curves
from crossmodal.evaluation.study import Study, resolved
from crossmodal.evaluation.sweep import slug
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.names import system_names
from crossmodal.tasks.task import Task

MARK = "compare"


def compare(argv: Sequence[str], task: Task) -> int:
    """Trains systems with every seed, and writes one table of them."""
    words, options = split_options(argv)
    given = compare_parser(task).parse_args(words)
    systems = given.systems or in_published_order(task, system_names(task.name)) or [task.system]
    rows = {**{name: ("--system", name) for name in systems}, **named_options(given.row, "row", taken=systems)}
    if given.over or given.panel:
        return compare_settings(task, rows, tuple(options), given)
    code, table = compare_rows(task, rows, tuple(options), given)
    if table is not None:
        say_written(write_bars(given.runs, {"": table}))
    return code


def compare_settings(
    task: Task, rows: Mapping[str, tuple[str, ...]], options: tuple[str, ...], given: argparse.Namespace
) -> int:
    """Compares the rows in several settings: at every value of an option, in every panel.

    Args:
        task: The task.
        rows: Name → options of `fit`.
        options: Options of `fit` for all rows.
        given: Options as `compare_parser` parses them.

    Returns:
        The exit code.

    Raises:
        ValueError: If `over` is no option with values, or panels cannot be told apart.
    """
    option, values = values_of(given.over)
    if given.page:
        check_page(given.page, MARK)  # before hours of training, not after them
    code, panels = 0, dict[str, dict[str, ResultTable]]()
    settings = named_options(given.panel, "panel") or {"": ()}
    folders = {panel: slug(panel) if panel else "" for panel in settings}
    check_folders(folders)
    for panel, words in settings.items():
        for value in values:
            place = given.runs / folders[panel] / (f"{option.rpartition('.')[2]}-{value}" if option else "")
            at = argparse.Namespace(**{**vars(given), "runs": place, "page": None})
            here = (*options, *words, *((f"--{option}", value) if option else ()))
            ended, table = compare_rows(task, rows, here, at)
            code = max(code, ended)
            if table is not None:
                panels.setdefault(panel, {})[value] = table
    if option:
        say_written(write_curves(given.runs, panels, option, task.monitor) if panels else [])
    else:
        say_written(write_bars(given.runs, {panel: tables[""] for panel, tables in panels.items()}))
    if given.page and panels:
        write_between(given.page, MARK, "\n".join(sections(panels, option)))
    return code


def check_folders(folders: Mapping[str, str]) -> None:
    """Refuses panels that would write their tables to the same folder.

    Args:
        folders: Panel → folder.

    Raises:
        ValueError: Naming both panels.
    """
    known: dict[str, str] = {}
    for panel, folder in folders.items():
        if (other := known.setdefault(folder, panel)) != panel:
            raise ValueError(f"compare: the panels {other!r} and {panel!r} share the folder {folder!r}: rename one.")


def values_of(over: str | None) -> tuple[str, list[str]]:
    """Returns the option of `--over OPTION=VALUE,VALUE` and its values; an empty name and value where there is none.

    Raises:
        ValueError: If there is no option, or no value.
    """
    if over is None:
        return "", [""]
    option, equals, listed = over.partition("=")
    values = [value.strip() for value in listed.split(",") if value.strip()]
    if not option or not equals or not values:
        raise ValueError(f"compare: --over {over!r} is not OPTION=VALUE,VALUE, as in data.shots=1,2,4.")
    return option, values


def sections(panels: Mapping[str, Mapping[str, ResultTable]], option: str) -> Iterator[str]:
    """Yields the tables of several settings in Markdown, each under its setting."""
    for panel, tables in panels.items():
        for value, table in tables.items():
            said = [panel, f"`{option}` {value}" if option else ""]
            yield f"**{', '.join(part for part in said if part)}**\n\n{table.markdown()}"


def say_written(files: Sequence[Path]) -> None:
    """Prints which pictures were written."""
    if files:
        print(f"pictures: {', '.join(map(str, files))}")


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
    plain = {name: words for name, words in rows.items() if len(words) == 2 and words[0] == "--system"}
    several = len({score.task for score in published_for(task)}) > 1  # reading all options takes a second a row
    known = {
        name: published_scores(task, words[1], settings_of((*options, *words), task, name) if several else ())
        for name, words in plain.items()
    }
    # the other scores of the published tables, where these stand beside ours
    others = [score.score for score in published_for(task) if score.score] if "published" in columns else []
    beside = tuple(score for score in dict.fromkeys(others) if score != task.monitor)
    study = Study(task, options, rows, tuple(given.seeds), baseline, "compare", known, beside)
    if given.print_commands:
        return print_commands(study, given.runs), None
    if given.page:
        check_page(given.page, mark)  # before hours of training, not after them
    remarks = published_remarks(task) if "published" in columns else []
    # no column that is empty throughout
    shown = tuple(
        column for column in columns if column != "published" or any(task.monitor in of for of in known.values())
    )
    code, table = train_and_report(study, given, columns=shown, remarks=remarks)
    if given.page:
        write_between(given.page, mark, table.markdown())
    return code, table


def settings_of(words: Sequence[str], task: Task, name: str) -> set[str]:
    """Returns the values of the options of the data, those left at their defaults among them.

    Args:
        words: Options of `fit`.
        task: The task.
        name: Of the row, for errors.

    Raises:
        ValueError: If the options are refused.
    """
    options, _ = resolved(words, task, f"compare: {name!r}")
    return {str(value) for option, value in options.items() if option.startswith("data.")}


def named_options(given: Sequence[str], option: str, *, taken: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Returns the texts of a repeated `--row "NAME=OPTIONS"` or `--panel`: name → options of `fit`.

    Args:
        given: The texts.
        option: Name of the option, for errors.
        taken: Names of the systems, which stand beside them.

    Raises:
        ValueError: If one has no name, or the name of another or of a system.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, equals, words = text.partition("=")
        name = name.strip()
        if not name or not equals:
            raise ValueError(f'compare: --{option} {text!r} is not NAME=OPTIONS, as in "late fusion=--model.edges []".')
        # rows are found by their names: the one would silently take the place of the other
        if name in taken:
            raise ValueError(
                f"compare: --{option} {text!r}: {name!r} is the row of the system of that name already: name it "
                "otherwise, or leave the system out by --systems."
            )
        if name in found:
            raise ValueError(f"compare: --{option} {text!r}: {name!r} is asked for twice: name it otherwise.")
        found[name] = tuple(shlex.split(words))
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
        help='another row, by its options of fit: "late fusion=--model.edges []"; may be repeated; {seed} in an option '
        "stands for the seed of the run",
    )
    add(
        "--panel",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help='a setting that all rows are trained in, a panel of the picture: "AVE=--data.root AVE"; may be repeated',
    )
    add("--over", metavar="OPTION=VALUES", help="one table per value, and curves over it: data.shots=1,2,4,8,16")
    add("--baseline", help="row that others are compared with (default: the first)")
    add("--page", type=Path, help=f"Markdown page that gets the table between the marks <!-- {MARK}: begin --> and end")
    add_study_options(made, f"runs/{task.name}-compare")
    return made
