"""Paired comparison of runs on the same test items: differences of scores with bootstrap intervals.

An item's score is the sum of `value` over the sum of `weight` of its rows in `predictions.csv`, whatever the task.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crossmodal.data.extras import need
from crossmodal.data.table_cell import plain_cell
from crossmodal.metrics import Interval, crossed_interval, nested_interval
from crossmodal.training.predictions import ITEM, PREDICTIONS, VALUE, WEIGHT

TRUTH, SCORE = "truth", "score"
"""Word in the names of columns that say what is true; column of the confidence, where a task has one."""
OBJECT_SHARE = "object_share"
"""Column of the share of a frame that its true mask takes."""


class ItemResult(NamedTuple):
    """Result of one run on one test item.

    Attributes:
        value: Sum of the values of its rows.
        weight: Sum of their weights.
        truth: Truth and weight of every row, in order, by which items of two runs are known to be the same.
    """

    value: float
    weight: float
    truth: tuple[tuple[str, ...], ...]


RunResult = Mapping[str, ItemResult]
"""Name of the item → its result, of one run."""


def read_result(run: Path, task: str) -> RunResult:
    """Reads what a run scored on every test item.

    Args:
        run: Folder of the run.
        task: Word of the task on the command line, for the error.

    Raises:
        FileNotFoundError: With the fix, if the run has no predictions.
        ValueError: If they are damaged, were written by an older version, without values and weights, or hold what is
            no number, as those of a diverged run do.
    """
    file = run / PREDICTIONS
    if not file.is_file():
        raise FileNotFoundError(f"{run} has no {PREDICTIONS}: `crossmodal {task} test --run {run}` writes it.")
    pandas = need("pandas", "a comparison of runs")
    try:
        names = pandas.read_csv(file, nrows=0).columns
        # an item, or a class, may be named 007, or NA
        texts = {name: str for name in names if name == ITEM or _says_truth(name)}
        rows = pandas.read_csv(file, dtype=texts, keep_default_na=False)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{file} is damaged ({error}): `crossmodal {task} test --run {run}` writes it anew."
        ) from error
    rows = rows.map(lambda cell: plain_cell(cell) if isinstance(cell, str) else cell)
    if missing := {ITEM, VALUE, WEIGHT} - set(rows):
        raise ValueError(
            f"{file} has no column {min(missing)!r}: an older version wrote it; `crossmodal {task} test --run {run}` "
            "writes it anew."
        )
    check_finite_rows(rows, file)
    known = [name for name in rows if _says_truth(name)] + [WEIGHT]
    return {
        str(item): ItemResult(
            float(of_item[VALUE].sum()),
            float(of_item[WEIGHT].sum()),
            tuple(of_item[known].astype(str).itertuples(index=False, name=None)),
        )
        for item, of_item in rows.groupby(ITEM, sort=False)
    }


def _says_truth(column: str) -> bool:
    return TRUTH in column.split("_") or column == OBJECT_SHARE


def check_finite_rows(rows: Any, file: Path) -> None:
    """Refuses rows whose values, weights or scores are not finite: the class of such a row is that of no decision.

    Args:
        rows: Frame of the file.
        file: Named in the error.

    Raises:
        ValueError: Naming the column and how many rows.
    """
    pandas = need("pandas", "a comparison of runs")
    for name in (column for column in (VALUE, WEIGHT, SCORE) if column in rows):
        wrong = ~pandas.to_numeric(rows[name], errors="coerce").abs().lt(float("inf"))
        if wrong.any():
            raise ValueError(
                f"{file}: the {name} of {int(wrong.sum())} of {len(rows)} rows is no finite number: the run diverged "
                f"and has no score. Delete {file.parent}, and train it with other options."
            )


def mean_score(result: RunResult) -> float:
    """Returns the sum of all values over the sum of all weights."""
    return sum(item.value for item in result.values()) / sum(item.weight for item in result.values())


def paired(ours: RunResult, theirs: RunResult, what: str) -> tuple[Tensor, Tensor]:
    """Returns the values of ours less theirs, and the weights, item by item.

    Args:
        ours: Of one run.
        theirs: Of the other.
        what: Names both in an error.

    Raises:
        ValueError: If the runs were not tested on the same items.
    """
    if odd := sorted(set(ours) ^ set(theirs)):
        raise ValueError(_unpaired(what, f"{odd[0]!r} is in one of the two alone ({len(odd)} such items)"))
    for name, item in ours.items():
        if item.truth != theirs[name].truth:
            raise ValueError(_unpaired(what, f"the rows of {name!r}, their truth or their weights differ"))
    names = sorted(ours)
    values = [torch.tensor([of[name].value for name in names]) for of in (ours, theirs)]
    return values[0] - values[1], torch.tensor([ours[name].weight for name in names])


def difference(ours: Mapping[int, RunResult], theirs: Mapping[int, RunResult], what: str) -> Interval | None:
    """Computes the mean difference over the seeds that both have, with its interval over seeds and items.

    Where all seeds were tested on the same items, these are drawn for all of them at once.

    Args:
        ours: Seed → result.
        theirs: Seed → result of what is compared with.
        what: Names both in an error.

    Returns:
        The interval, or `None` if they share no seed.

    Raises:
        ValueError: If runs of a seed were not tested on the same items.
    """
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    pairs = [paired(ours[seed], theirs[seed], f"{what}, seed {seed}") for seed in seeds]
    differences, weights = zip(*pairs, strict=True)
    shared = len(seeds) > 1 and all(set(ours[seed]) == set(ours[seeds[0]]) for seed in seeds)
    return (crossed_interval if shared else nested_interval)(differences, weights)


def _unpaired(what: str, found: str) -> str:
    """Returns the sentence for runs that cannot be compared."""
    return (
        f"{what}, cannot be compared item by item: {found}. They were tested on different data: delete the folder of "
        "the older run, and run it again."
    )
