"""Ablations: variants of one system, each trained with several seeds, in one table with the cost of every part.

`crossmodal TASK ablate` is the same as a command.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossmodal.evaluation.arguments import path_of, words_of
from crossmodal.evaluation.paired import RunResult, difference, mean_score, read_result
from crossmodal.evaluation.result_table import ABLATION, OtherScore, ResultRow, ResultTable
from crossmodal.evaluation.study import Study, check_keyword, system_word
from crossmodal.evaluation.sweep import sweep
from crossmodal.tasks.resolve import find_task
from crossmodal.tasks.task import Task, percent_of
from crossmodal.training.run_folder import CHANCE, REMARKS, TEST

WITHOUT = "without"


def ablation(
    system: Callable[..., Any] | str,
    *,
    task: str,
    variants: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int] = range(5),
    baseline: str = "full",
    options: Sequence[str] = (),
    runs: Path | str = "runs/ablation",
    workers: int = 1,
    cluster: str | None = None,
) -> ResultTable:
    """Trains every variant of a system with every seed, each run in a process of its own, and compares them.

    Args:
        system: What is trained: a name such as `"dg_sct"`, or the function of a recipe file.
        task: Name of the task, or module of a task of your own.
        variants: Name → keywords of the system and its coupling; the keyword `without` names those to be set to
            `None`. Classes and functions, also in a partial by keywords, must be importable by another process.
        seeds: Seeds of weights, order and built-in world.
        baseline: Variant that is the full system.
        options: More options of `crossmodal TASK fit`, word by word, for every run.
        runs: Folder of the runs. Finished ones are not run again, interrupted ones go on: a run is known by its
            resolved options.
        workers: Runs at a time; with 0 none is started, and finished ones are gathered.
        cluster: Address or scheduler file of a running dask cluster that trains in place of this machine.

    Returns:
        The table.

    Raises:
        ValueError: In words, before anything is trained, if a variant cannot be had.
        RuntimeError: Naming the runs that failed, after the others.
    """
    of_task = find_task(task)
    name = system if isinstance(system, str) else system_word(system, of_task) or path_of(system, "--system")
    words = ("--system", name, *options)
    of_variants = {name: variant_words(words, of_task, name, keywords) for name, keywords in variants.items()}
    study = Study(of_task, words, of_variants, tuple(seeds), baseline)
    return finished(study, Path(runs), workers=workers, cluster=cluster)


def variant_words(words: Sequence[str], task: Task, name: str, keywords: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the options of `fit` that make a variant, given as keywords of the system and `without`.

    Args:
        words: Options that choose the system.
        task: The task.
        name: Of the variant, for errors.
        keywords: Of the variant.

    Raises:
        ValueError: If the system has no such keyword, or another process could not have the value.
    """
    absent = keywords.get(WITHOUT, ())
    absent = (absent,) if isinstance(absent, str) else tuple(absent)  # a string would be taken apart into letters
    given = {**dict.fromkeys(absent), **{key: value for key, value in keywords.items() if key != WITHOUT}}
    found: list[str] = []
    for keyword, value in given.items():
        check_keyword(words, task, keyword, f"ablation: variant {name!r}")
        try:
            found += words_of(f"--model.{keyword}", value)
        except ValueError as error:
            raise ValueError(f"ablation: variant {name!r}: {error}") from error
    return tuple(found)


def finished(
    study: Study,
    folder: Path,
    *,
    workers: int,
    cluster: str | None = None,
    columns: tuple[str, ...] = ABLATION,
) -> ResultTable:
    """Finishes the runs of a study and gathers their results.

    Args:
        study: The study.
        folder: Of its runs.
        workers: Runs at a time on this machine; 0 starts none.
        cluster: Address or scheduler file of a dask cluster in place of this machine.
        columns: Columns of the table.

    Raises:
        ValueError: If a variant cannot be built, or a run was begun with other defaults; before anything is trained.
        RuntimeError: Naming the runs that failed, after the others.
    """
    study.check_begun(folder)
    operations = {name: study.operations(name) for name in study.variants}  # builds each, before hours of training
    if workers or cluster:
        sweep(study.runs, folder, workers=workers, cluster=cluster)
    return gathered(study, folder, operations, columns=columns)


def gathered(
    study: Study,
    folder: Path,
    operations: Mapping[str, int | None],
    *,
    columns: tuple[str, ...] = ABLATION,
) -> ResultTable:
    """Reads the results of the finished runs of a study.

    Args:
        study: The study.
        folder: Of its runs.
        operations: Variant → operations of a training step.
        columns: Columns of the table; that of operations is left out where none could be counted.

    Raises:
        ValueError: If no run of the baseline is finished, or runs were tested on different items.
    """
    results = {name: _results(study, folder, name) for name in study.variants}
    base = results[study.baseline]
    if not base:
        raise ValueError(
            f"{study.verb}: no run of {study.baseline!r} in {folder} is finished: there is nothing to compare with."
        )
    rows = tuple(
        _row(study, folder, base, name, found, operations.get(name)) for name, found in results.items() if found
    )
    if not any(operations.values()):
        columns = tuple(column for column in columns if column != "operations")
    table = ResultTable(
        rows,
        study.baseline,
        study.seeds,
        tuple(study.variants),
        study.items,
        score=study.task.monitor,
        unit=percent_of(study.task),
        chance=_chance(study, folder, tuple(base)),
        columns=columns,
        others=tuple(score for score in study.others if any(score in row.others for row in rows)),
    )
    return table.with_remarks(_what_else_differs(study, folder, results))


def _results(study: Study, folder: Path, name: str) -> dict[int, RunResult]:
    """Returns seed → result of the finished runs of a variant."""
    runs = {seed: study.run(name, seed) for seed in study.seeds}
    return {
        seed: read_result(run.place(folder), study.task.name)
        for seed, run in runs.items()
        if run.summary(folder) is not None
    }


def _row(
    study: Study,
    folder: Path,
    base: Mapping[int, RunResult],
    name: str,
    own: Mapping[int, RunResult],
    operations: int | None,
) -> ResultRow:
    """Returns the row of a variant of which some run is finished."""
    summaries = [study.run(name, seed).summary(folder) or {} for seed in own]
    is_base = name == study.baseline
    published = study.published.get(name, {})
    others = dict.fromkeys(score for summary in summaries for score in summary[TEST] if score != study.task.monitor)
    return ResultRow(
        name,
        tuple(own),
        tuple(float(summary[TEST][study.task.monitor]) for summary in summaries),
        None if is_base else difference(own, base, f"{study.verb}: {name!r} and {study.baseline!r}"),
        () if is_base else tuple(mean_score(own[seed]) - mean_score(base[seed]) for seed in own if seed in base),
        summaries[0]["trainable_parameters"],
        operations,
        published.get(study.task.monitor, ""),
        tuple(float(summary["seconds"]) for summary in summaries if "seconds" in summary),
        {
            score: OtherScore(
                tuple(float(summary[TEST][score]) for summary in summaries if score in summary[TEST]),
                published.get(score, ""),
            )
            for score in others
        },
    )


def _what_else_differs(study: Study, folder: Path, results: Mapping[str, Mapping[int, RunResult]]) -> list[str]:
    """Returns a sentence for every variant whose system says other things of itself than the baseline's.

    Leaving a spatial map out, say, also changes what a stream is pooled by: such a row differs by more than its name.
    """
    said = {
        name: (study.run(name, next(iter(own))).summary(folder) or {}).get(REMARKS, [])
        for name, own in results.items()
        if own
    }
    usual = said[study.baseline]
    return [
        f"“{name}” also differs by: {'; '.join(line for line in lines if line not in usual)}."
        for name, lines in said.items()
        if set(lines) - set(usual)
    ]


def _chance(study: Study, folder: Path, seeds: Sequence[int]) -> float | None:
    """Returns the mean score of a model that looks at nothing, over the finished runs of the baseline."""
    summaries = [study.run(study.baseline, seed).summary(folder) or {} for seed in seeds]
    known = [summary.get(CHANCE, {}).get(study.task.monitor) for summary in summaries]
    found = [float(value) for value in known if value is not None]
    return sum(found) / len(found) if found else None
