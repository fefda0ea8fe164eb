"""Study: variants of a system, or several systems, each trained with several seeds; its runs and their costs."""

import difflib
import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from crossmodal.evaluation.step_cost import described_cost
from crossmodal.evaluation.sweep import QUIET, SweepRun, named, with_seed
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import find_system, task_word
from crossmodal.tasks.task import Task
from crossmodal.training.choice import chosen, flattened, read_options
from crossmodal.training.options import keyword_names, parse
from crossmodal.training.run_folder import CONFIG

GIVEN = ("--name", "--runs", "--resume", "--seed", "--data.seed")
"""Options of `fit` that a study gives itself."""

NO_CONFIGURATION = ("config", "name", "runs", "resume", "save_minutes", "seed", "data.seed")
"""Options that do not make another configuration; the seed counts beside it."""

TOLD_BY_SWEEP = tuple(word.removeprefix("--") for word in QUIET[::2])
"""Options that a sweep gives every run beside its own."""

ALWAYS = ("system", "training")
"""Options that are part of a configuration even at their defaults, which decide on all others."""


@dataclass(frozen=True)
class Study:
    """Variants of what is trained, and seeds.

    Attributes:
        task: Of all runs.
        options: Options of `crossmodal TASK fit` for every run; `{seed}` in one stands for the run's seed.
        variants: Name → more options.
        seeds: Seeds of weights, order and built-in world.
        baseline: Variant that others are compared with.
        verb: Name of the study in errors.
        published: Name of a variant → name of a score → percent that others published of just that.
        others: Names of scores beside the monitor that the table shows.

    Raises:
        ValueError: In words, before anything is trained, if a variant cannot be meant.
    """

    task: Task
    options: tuple[str, ...]
    variants: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    baseline: str = "full"
    verb: str = "ablation"
    published: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what is no study."""
        words = [*self.options, *(word for more in self.variants.values() for word in more)]
        own = [word for word in words if word.split("=")[0] in GIVEN]
        if own:
            raise ValueError(f"{self.verb}: {own[0]} is given to every run by the {self.verb}: leave it out.")
        if self.baseline not in self.variants:
            raise ValueError(f"{self.verb}: baseline={self.baseline!r} is none of the variants {list(self.variants)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"{self.verb}: seeds={list(self.seeds)} must be different numbers, at least one.")
        known: dict[str, str] = {}
        for name, configuration in self.configurations.items():
            if (other := known.setdefault(configuration, name)) != name:
                raise ValueError(
                    f"{self.verb}: {other!r} and {name!r} are the same model, trained alike: leave out one."
                )

    @cached_property
    def configurations(self) -> dict[str, str]:
        """Variant → its configuration."""
        return {name: configuration(self.task, *options) for name, options in self._resolved.items()}

    @cached_property
    def _resolved(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Variant → all its options, and the defaults of these."""
        return {name: resolved(self.words(name), self.task, f"{self.verb}: {name!r}") for name in self.variants}

    @property
    def runs(self) -> list[SweepRun]:
        """All runs, seed by seed, so that a table of fewer seeds is complete first."""
        return [self.run(name, seed) for seed in self.seeds for name in self.variants]

    def words(self, name: str) -> tuple[str, ...]:
        """Returns the options of a variant."""
        return (*self.options, *self.variants[name])

    def run(self, name: str, seed: int) -> SweepRun:
        """Returns one run."""
        return SweepRun(task_word(self.task), name, seed, self.words(name), self.configurations[name])

    def check_begun(self, folder: Path) -> None:
        """Refuses a run that was begun when its words meant something else, because a default was another.

        Raises:
            ValueError: Naming run, option and both values.
        """
        for run in self.runs:
            for place in run.begun(folder):
                now, then = self._options_of(run), flattened(read_options(place / CONFIG))
                for name in sorted((now.keys() & then) - {*NO_CONFIGURATION, *TOLD_BY_SWEEP}):
                    if then[name] != now[name]:
                        raise ValueError(
                            f"{self.verb}: the run {place} was begun with {name}={then[name]!r}, and the same command "
                            f"means {name}={now[name]!r} now: give --{name}, or another folder by --runs."
                        )

    def _options_of(self, run: SweepRun) -> dict[str, Any]:
        """Returns all options of a run, with its seed in place of `{seed}` before they are read, as the run has it."""
        words = with_seed(run.options, run.seed)
        if words == [*run.options]:
            return self._resolved[run.row][0]
        return resolved(words, self.task, f"{self.verb}: {run.row!r}")[0]

    def operations(self, name: str) -> int | None:
        """Counts the floating-point operations of a training step of a variant, in one process.

        Returns:
            The number, or `None` where it depends on data.

        Raises:
            ValueError: As the variant does when it is built.
        """
        try:
            words = with_seed(self.words(name), self.seeds[0])
            return described_cost(words, self.task, self.items).cost.total.step
        except (NotImplementedError, RuntimeError, ValueError) as error:
            if "meta" not in str(error) and "without data" not in str(error):
                raise
            return None

    @cached_property
    def items(self) -> int:
        """Items of a training step of one process."""
        return int(parse(with_seed(self.words(self.baseline), self.seeds[0]), self.task)[1].data.batch_size)

    def commands(self, folder: Path) -> Iterator[str]:
        """Yields a line of shell for every run that is not finished; it may be started again, and then goes on."""
        path = f"PYTHONPATH={shlex.quote(os.environ['PYTHONPATH'])} " if "PYTHONPATH" in os.environ else ""
        self.check_begun(folder)
        for run in self.runs:
            if run.summary(folder) is None:
                place = run.place(folder.absolute())
                begun = shlex.quote(str(place / CONFIG))
                yield (
                    f"cd {shlex.quote(os.getcwd())} && {path}{shlex.quote(sys.executable)} -m crossmodal {run.task} "
                    f"fit {shlex.join([*run.words, *QUIET, *named(place)])} "
                    f'--resume "$(test -f {begun} && echo true || echo false)"'
                )


def configuration(task: Task, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Returns options as text: the same however they are written, another if a file of theirs is another.

    Defaults are left out, so that an option of a newer version does not make another run of an old one. Where a default
    itself is another, `Study.check_begun` tells.

    Args:
        task: The task.
        options: Name → value.
        defaults: The same.
    """
    # `...`, for None is a value that an option may have
    kept = {
        name: value
        for name, value in options.items()
        if name not in NO_CONFIGURATION and defaults.get(name, ...) != value
    }
    return json.dumps({"task": task.name, **{name: options[name] for name in ALWAYS}, **kept}, sort_keys=True)


def resolved(words: Sequence[str], task: Task, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns all options of `fit` that words amount to, and the defaults of these, by dotted name.

    Args:
        words: Options of `fit`.
        task: The task.
        what: Names them in an error.

    Raises:
        ValueError: If they are refused.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parser, given = parse(words, task)
    except SystemExit as left:  # how a command line is refused
        reason = said.getvalue().rpartition("error: ")[2].strip()
        raise ValueError(f"{what} ({shlex.join(words)}): {reason}") from left
    options, defaults = (
        # defaults are no whole command: a source may have a required keyword
        flattened(yaml.safe_load(parser.dump(of, skip_unset=False, skip_validation=of is not given)))
        for of in (given, parser.get_defaults())
    )
    return options, defaults


def check_keyword(words: Sequence[str], task: Task, keyword: str, what: str) -> None:
    """Refuses a keyword that the system of these options, or its coupling, does not have.

    Args:
        words: Options of `fit` that choose the system.
        task: The task.
        keyword: Name behind `--model.`; `spatial.k` is a keyword of the component `spatial`.
        what: Names the option in the error.

    Raises:
        ValueError: With near misses.
    """
    choice = chosen(words, task)
    known = keyword_names(find_system(choice.system, task.name), choice.coupling)
    if keyword.split(".")[0] not in known:
        near = difflib.get_close_matches(keyword, known, n=1)
        there_are = f"it has {', '.join(known)}." if known else "it has none."
        hint = f"did you mean {near[0]!r}?" if near else there_are
        raise ValueError(f"{what}: the system {choice.system} has no keyword {keyword!r}; {hint}")


def system_word(system: Callable[..., Any], task: Task) -> str | None:
    """Returns the name by which `--system` finds a system of ours; `None` for others."""
    names = system_names(task.name)
    return next((name for name in names if find_system(name, task.name) is system), None)
