"""Suites: the laws of one kind of block, checked over sizes that hypothesis draws and shrinks."""

import difflib
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import nn

from ..shapes import shape_checks
from . import laws
from .law import Law, NotApplicable, Violation
from .laws.surroundings import settings_restored
from .report import LawBroken, Outcome, Report
from .trial import Trial
from .widths import Widths


class Seeded(Protocol):
    """Describes drawn sizes: they hold the seed of everything that is random in a trial."""

    @property
    def seed(self) -> int:
        """Seed of everything that is random in a trial."""
        ...


F = TypeVar("F")
S = TypeVar("S", bound=Seeded)
T = TypeVar("T")

REFUSALS = (ValueError, KeyError)
"""Errors by which a factory refuses sizes; others are drawn then."""


@dataclass(frozen=True)
class Suite(Generic[F, S, T]):
    """Checks the laws of one kind of block.

    Attributes:
        kind: The kind in words, as in `"guidance"`.
        smallest: Finds the smallest sizes that a factory takes; raises `ValueError` where it takes none.
        sizes: Turns the smallest sizes into a hypothesis strategy of sizes.
        trial: Builds a trial of a factory and sizes; the seed is set.
        laws: Laws in the order of the report.
        fits: Returns whether a trial holds a block of this kind, for kinds that can be told from their factory.
    """

    kind: str
    smallest: Callable[[F], S]
    sizes: Callable[[S], Any]
    trial: Callable[[F, S], T]
    laws: Sequence[Law[T]]
    fits: Callable[[T], bool] = lambda _: False

    def bounded(self, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Self:
        """Returns the same laws over bounded widths; `smallest` and `sizes` must take a keyword `widths`.

        Args:
            widths: The only widths that are drawn.
            multiple_of: Widths that are drawn are multiples of this number.

        Raises:
            ValueError: If no width is left, or one is less than 1.
        """
        bounds = Widths(None if widths is None else tuple(widths), multiple_of)
        if bounds == Widths():
            return self
        smallest: Any = self.smallest
        sizes: Any = self.sizes
        return replace(self, smallest=partial(smallest, widths=bounds), sizes=partial(sizes, widths=bounds))

    def exemptions(self, factory: F) -> Mapping[str, str]:
        """Reads `laws_exempt` of the block: name of a law → the reason.

        Raises:
            ValueError: If no law has such a name.
        """
        sizes = self.smallest(factory)
        trial = built_at(sizes, factory, lambda: self.trial(factory, sizes))
        sized(factory, trial)
        declared: Mapping[str, str] = getattr(trial.build(), "laws_exempt", {}) if isinstance(trial, Trial) else {}
        names = sorted({law.name for law in vars(laws).values() if isinstance(law, Law)})
        for name in declared:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
                raise ValueError(
                    f"{describe(factory)}: laws_exempt names {name!r}, as no law is called; nearest: {near[0]!r} (of "
                    f"{', '.join(names)})."
                )
        return declared

    def ask(self, law: Law[T], factory: F) -> Outcome:
        """Checks one law on the blocks that a factory makes."""
        # checks on, whatever the caller has: the law of bad input is about them
        with torch.random.fork_rng(devices=[]), shape_checks(True), settings_restored():
            exempt = self.exemptions(factory)
            found = judged(law, self, factory)
            return exempted(found, exempt[law.name]) if law.name in exempt else found

    def check(self, factory: F) -> Report:
        """Checks all laws.

        Raises:
            LawBroken: If a law is broken; the message is the report.
        """
        report = Report(f"{describe(factory)} ({self.kind})", [self.ask(law, factory) for law in self.laws])
        if report.broken:
            raise LawBroken(report)
        return report


def judged(law: Law[T], suite: Suite[F, S, T], factory: F) -> Outcome:
    """Checks a law over drawn sizes; a broken one comes back with the smallest trial that breaks it."""
    hypothesis, asked, notes = needed("hypothesis"), 0, ""

    def attempt(sizes: S) -> None:
        nonlocal asked, notes
        # The seed is drawn too, so that a shrunk example builds the same weights again.
        torch.default_generator.manual_seed(sizes.seed)
        try:
            trial = built_at(sizes, factory, lambda: suite.trial(factory, sizes))
        except REFUSALS:
            hypothesis.reject()
        asked += 1
        notes = refuted(law, trial, sizes) or ""

    drawn = hypothesis.given(suite.sizes(suite.smallest(factory)))(attempt)
    try:
        quiet_settings(hypothesis, law.examples)(drawn)()
    except NotApplicable as reason:
        return Outcome(law, "not applicable", str(reason))
    except Violation as words:
        return Outcome(law, "broken", str(words), asked)
    except hypothesis.errors.Flaky:
        return Outcome(law, "broken", "the same trial broke it once, and once it did not", asked)
    except hypothesis.errors.Unsatisfiable:
        return Outcome(law, "broken", "the factory refused all sizes that were drawn", asked)
    return Outcome(law, "held", trials=asked, notes=notes)


def exempted(found: Outcome, reason: str) -> Outcome:
    """Turns an outcome into an exemption, with what would have been said below the reason."""
    notes = {"held": found.notes or f"it held all the same, in {found.trials} trials", "broken": found.words}
    return Outcome(found.law, "exempt", reason, found.trials, notes.get(found.verdict, found.words))


def built_at(sizes: object, factory: object, build: Callable[[], T]) -> T:
    """Builds something of drawn sizes; a refusal passes, any other error is told with the draw.

    Raises:
        RuntimeError: If the factory fails with another error than one of `REFUSALS`.
    """
    try:
        return build()
    except REFUSALS:
        raise
    except Exception as error:
        raise RuntimeError(
            f"{describe(factory)}: raised {type(error).__name__} at {sizes}: {error}. A factory refuses sizes with "
            f"ValueError or KeyError; bound the draws with widths= or multiple_of=."
        ) from error


def sized(factory: object, trial: object) -> None:
    """Checks that the layers of a block have their sizes, without which no law can be asked.

    Raises:
        ValueError: If a layer is lazy.
    """
    lazy = nn.modules.lazy.LazyModuleMixin
    for name, layer in trial.build().named_modules() if isinstance(trial, Trial) else ():
        if isinstance(layer, lazy) and layer.has_uninitialized_params():  # type: ignore[misc]
            raise ValueError(
                f"{describe(factory)}: layer {name!r} is a {type(layer).__name__}, which has no sizes before its first "
                f"call: give it its widths, or call the block once in the factory."
            )


def refuted(law: Law[T], trial: T, sizes: object) -> str | None:
    """Checks a law on one trial; any error of the block breaks the law, in words that begin with the sizes."""
    try:
        return law(trial)
    except NotApplicable:
        raise
    except Violation as words:
        raise Violation(f"at {sizes}:\n{words}") from words
    except Exception as error:
        first = "\n".join(str(error).splitlines()[:8])
        raise Violation(f"at {sizes}:\nit raised {type(error).__name__}: {first}") from error


def quiet_settings(hypothesis: Any, examples: int) -> Any:
    """Builds settings that draw the same trials every time, print nothing and leave no files."""
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        print_blob=False,
        # not `explain`, which runs everything once more under a tracer
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),  # a factory may refuse most sizes
    )


def needed(module: str) -> Any:
    """Imports `hypothesis` or `pytest`.

    Raises:
        ImportError: If it is missing; the message names the install command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ImportError(
            f'crossmodal.testing needs the package {module!r} ({missing}): pip install "crossmodal-blocks[testing]".'
        ) from missing


def describe(factory: object) -> str:
    """Writes a factory in a few words, as in `Bottleneck(groups=1)`."""
    if isinstance(factory, functools.partial):
        given = [
            *map(describe, factory.args),
            *(f"{name}={describe(value)}" for name, value in factory.keywords.items()),
        ]
        return f"{describe(factory.func)}({', '.join(given)})"
    return getattr(factory, "__name__", None) or repr(factory)
