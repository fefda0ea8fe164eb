"""A study: variants of one model, each trained with several seeds; which runs that makes, and what each would cost."""

import difflib
import inspect
import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from crossmodal.cli.ave_options import parse
from crossmodal.cli.cost import cost_of, without_weights
from crossmodal.evaluation.sweep import QUIET, Run
from crossmodal.training.run_folder import CONFIG

OURS = ("--name", "--runs", "--resume", "--seed", "--data.seed")
"""Options of `fit` that a study gives itself."""

APART = ("config", "name", "runs", "resume", "save_minutes", "seed", "data.seed")
"""Options that do not make another configuration; the seed counts beside it."""


@dataclass(frozen=True)
class Study:
    """Variants of a model, and seeds.

    - `options`: of `crossmodal ave fit`, for every run. `variants`: name → more options.
    - `seeds`: of weights, order and built-in world. `baseline`: the variant that others are compared with.

    Raises `ValueError` in words, before anything is trained, where a variant is none.
    """

    options: tuple[str, ...]
    variants: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    baseline: str = "full"

    def __post_init__(self) -> None:
        own = [word for word in self.options if word.split("=")[0] in OURS]
        if own:
            raise ValueError(f"ablation: {own[0]} is given to every run by the ablation: leave it out.")
        if self.baseline not in self.variants:
            raise ValueError(f"ablation: baseline={self.baseline!r} is none of the variants {list(self.variants)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"ablation: seeds={list(self.seeds)} must be different numbers, at least one.")
        known: dict[str, str] = {}
        for name, configuration in self.configurations.items():
            if (other := known.setdefault(configuration, name)) != name:
                raise ValueError(f"ablation: {other!r} and {name!r} are the same model, trained alike: leave out one.")

    @cached_property
    def configurations(self) -> dict[str, str]:
        """Variant → what its options amount to."""
        return {name: configuration(self.words(name), name) for name in self.variants}

    @property
    def runs(self) -> list[Run]:
        """All runs, seed by seed, so that a table of fewer seeds is complete first."""
        return [self.run(name, seed) for seed in self.seeds for name in self.variants]

    def words(self, name: str) -> tuple[str, ...]:
        """The options of a variant."""
        return (*self.options, *self.variants[name])

    def run(self, name: str, seed: int) -> Run:
        """One run."""
        return Run(name, seed, self.words(name), self.configurations[name])

    def operations(self, name: str) -> int | None:
        """Floating-point operations of a training step of a variant, of one process; `None` where they depend on data.

        Raises as the variant does when it is built.
        """
        words = list(self.words(name))
        try:
            return cost_of(without_weights(words), self.clips).total.step
        except (NotImplementedError, RuntimeError, ValueError) as error:
            if "meta" not in str(error) and "without data" not in str(error):
                raise
            return None

    @cached_property
    def clips(self) -> int:
        """Clips of a training step of one process."""
        words = list(self.words(self.baseline))
        return int(parse(words)[1].data.batch_size)

    def commands(self, folder: Path) -> Iterator[str]:
        """A line of shell for every run that is not finished; it may be begun again, and then goes on."""
        path = f"PYTHONPATH={shlex.quote(os.environ['PYTHONPATH'])} " if "PYTHONPATH" in os.environ else ""
        for run in self.runs:
            if run.summary(folder) is None:
                place = folder.absolute()
                begun = shlex.quote(str(place / run.name / CONFIG))
                named = shlex.join(["--runs", str(place), "--name", run.name])
                yield (
                    f"cd {shlex.quote(os.getcwd())} && {path}{shlex.quote(sys.executable)} -m crossmodal ave fit {named} "
                    f'--resume "$(test -f {begun} && echo true || echo false)" {shlex.join([*run.words, *QUIET])}'
                )


def configuration(words: Sequence[str], name: str) -> str:
    """What options amount to, as text: the same however they are written, another where a file of theirs is another.

    Defaults are left out, so that an option of a newer version does not make another run of an old one.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parser, given = parse(words)
    except SystemExit as left:  # how a command line is refused
        reason = said.getvalue().rpartition("error: ")[2].strip()
        raise ValueError(f"ablation: variant {name!r} ({shlex.join(words)}): {reason}") from left
    found, usual = (
        dict(_flat(yaml.safe_load(parser.dump(options, skip_unset=False))))
        for options in (given, parser.get_defaults())
    )
    kept = {key: value for key, value in found.items() if key not in APART and usual.get(key, ...) != value}
    chosen = {key: found[key] for key in ("recipe", "size", "training")}
    return json.dumps({**chosen, **kept}, sort_keys=True)


def _flat(options: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(options, dict) or not options:
        yield at, options
        return
    for name, value in options.items():
        yield from _flat(value, f"{at}.{name}" if at else str(name))


def check_keyword(recipe: Callable[..., Any], name: str, option: str) -> None:
    """`ValueError` with near misses where a recipe has no such keyword."""
    keywords = [p.name for p in inspect.signature(recipe).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if name.split(".")[0] not in keywords:
        near = difflib.get_close_matches(name, keywords, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(keywords)}."
        raise ValueError(f"ablation: {option}: the recipe {recipe.__name__} has no keyword {name!r}; {hint}")
