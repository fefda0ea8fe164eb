"""The outcomes of the laws for one block, as a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Literal

from .law import Law

Verdict = Literal["held", "broken", "not applicable", "exempt"]


@dataclass(frozen=True)
class Outcome:
    """Holds the outcome of one law.

    Attributes:
        law: The law.
        verdict: Whether it held, was broken, does not apply, or the block is exempt.
        words: The shrunk example of a broken law, or why a law was not checked; empty where it held.
        trials: Number of trials.
        notes: What was measured: of a law that measures, and of one that the block exempts itself from.
    """

    law: Law[Any]
    verdict: Verdict
    words: str = ""
    trials: int = 0
    notes: str = ""

    def __str__(self) -> str:
        return "\n".join([self._verdict(), *([indent(self.notes, "      ")] if self.notes else [])])

    def _verdict(self) -> str:
        head = f"{self.law.number:>2}  {self.law.name:<28} {self.verdict}"
        if self.verdict == "held":
            return f"{head} in {self.trials} trial{'s'[: self.trials != 1]}"
        if self.verdict == "broken":
            return f"{head}\n{indent(self.law.says, '      law: ')}\n{indent(self.words, '      ')}"
        return f"{head}: {self.words}"


@dataclass(frozen=True)
class Report:
    """Holds the outcomes of all laws for one block; `print` shows them."""

    subject: str
    outcomes: Sequence[Outcome]

    def __str__(self) -> str:
        return "\n".join([f"Laws of {self.subject}", *map(str, self.outcomes)])

    def named(self, verdict: Verdict) -> tuple[str, ...]:
        """Returns the names of the laws with that verdict."""
        return tuple(outcome.law.name for outcome in self.outcomes if outcome.verdict == verdict)

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the broken laws."""
        return self.named("broken")


class LawBroken(AssertionError):
    """Raised for a block that breaks laws; the message is the whole report, which is kept as `report`."""

    def __init__(self, report: Report):
        super().__init__(f"{', '.join(report.broken)}\n{report}")
        self.report = report
