"""Ablations: variants of one model, each trained with several seeds, in one table with what every part was worth.

`crossmodal ave ablate` is the same as a command.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossmodal.evaluation.arguments import path_of, words_of
from crossmodal.evaluation.paired import Answers, accuracy, difference, majority, read_answers
from crossmodal.evaluation.study import Study, check_keyword
from crossmodal.evaluation.sweep import sweep
from crossmodal.evaluation.table import AblationTable, Row
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.resolve import OURS, resolve

WITHOUT = "without"


def ablation(
    size: Callable[..., Any] | str,
    *,
    variants: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int] = range(5),
    recipe: Callable[..., Any] | str = dg_sct,
    baseline: str = "full",
    options: Sequence[str] = (),
    runs: Path | str = "runs/ablation",
    workers: int = 1,
) -> AblationTable:
    """Trains every variant with every seed, each run in a process of its own, and compares them.

    - `size`: what is trained, such as `ave.tiny`. `recipe`: how its encoders are coupled.
    - `variants`: name → keywords of the recipe; the keyword `without` names those to be set to `None`. Classes and
      functions, also in a partial by keywords, must be importable by another process.
    - `seeds`: of weights, order and built-in world. `baseline`: the variant that is the full model.
    - `options`: of `crossmodal ave fit`, word by word, for every run.
    - `runs`: folder of the runs. Finished ones are not run again, interrupted ones go on: a run is known by what its
      options amount to. `workers`: runs at a time; with 0 none is begun, and what is finished is gathered.

    Raises `ValueError` in words, before anything is trained, where a variant cannot be had; `RuntimeError` naming the
    runs that failed, after the others.
    """
    chosen = {"--size": size, "--recipe": recipe}
    words = [word for option, value in chosen.items() for word in (option, named(value, option))]
    function = resolve(recipe) if isinstance(recipe, str) else recipe
    study = Study(
        (*words, *options),
        {name: variant_words(function, name, keywords) for name, keywords in variants.items()},
        tuple(seeds),
        baseline,
    )
    return finished(study, Path(runs), workers=workers)


def finished(study: Study, folder: Path, *, workers: int) -> AblationTable:
    """Finishes the runs of a study, `workers` at a time, and gathers what they found."""
    operations = {name: study.operations(name) for name in study.variants}  # builds each, before hours of training
    if workers:
        sweep(study.runs, folder, workers=workers)
    return gathered(study, folder, operations)


def named(function: Callable[..., Any] | str, option: str) -> str:
    """The name or import path of a function of ours or of the user."""
    if isinstance(function, str):
        return function
    path = path_of(function, option)
    return {ours: name for name, ours in OURS.items()}.get(path, path)


def variant_words(recipe: Callable[..., Any], name: str, keywords: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of `fit` that make a variant, given as keywords of the recipe and `without`."""
    absent = keywords.get(WITHOUT, ())
    absent = (absent,) if isinstance(absent, str) else tuple(absent)
    given = {**dict.fromkeys(absent), **{key: value for key, value in keywords.items() if key != WITHOUT}}
    words: list[str] = []
    for keyword, value in given.items():
        check_keyword(recipe, keyword, f"variant {name!r}")
        try:
            words += words_of(f"--model.{keyword}", value)
        except ValueError as error:
            raise ValueError(f"ablation: variant {name!r}: {error}") from error
    return tuple(words)


def gathered(study: Study, folder: Path, operations: Mapping[str, int | None]) -> AblationTable:
    """What the finished runs of a study found.

    Raises `ValueError` where no run of the full model is finished, or runs were tested on different clips.
    """
    answers = {name: _answers(study, folder, name) for name in study.variants}
    full = answers[study.baseline]
    if not full:
        raise ValueError(
            f"ablation: no run of {study.baseline!r} in {folder} is finished: there is nothing to compare with."
        )
    row = partial(_row, study, folder, full)
    rows = tuple(row(name, found, operations[name]) for name, found in answers.items() if found)
    chance = sum(map(majority, full.values())) / len(full)
    return AblationTable(rows, study.baseline, study.seeds, tuple(study.variants), study.clips, chance)


def _answers(study: Study, folder: Path, name: str) -> dict[int, Answers]:
    done = {seed: study.run(name, seed) for seed in study.seeds}
    return {seed: read_answers(folder / run.name) for seed, run in done.items() if run.summary(folder) is not None}


def _row(
    study: Study, folder: Path, full: Mapping[int, Answers], name: str, own: Mapping[int, Answers], step: int | None
) -> Row:
    between = None if name == study.baseline else difference(own, full, f"{name!r} and {study.baseline!r}")
    gaps = () if between is None else tuple(accuracy(own[s]) - accuracy(full[s]) for s in own if s in full)
    trained = (study.run(name, next(iter(own))).summary(folder) or {})["trainable_parameters"]
    return Row(name, tuple(own), tuple(map(accuracy, own.values())), between, gaps, trained, step)
