"""A law: a sentence about blocks that a function can refute, and the words in which it does so."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", contravariant=True)


class Violation(AssertionError):
    """Raised by a law that is broken: says what was looked at, what was expected, and what was found."""


class NotApplicable(Exception):
    """Raised by a law that does not apply to a block, with the reason."""


@dataclass(frozen=True)
class Law(Generic[T]):
    """Tests a law on one trial of a block: raises `Violation` or `NotApplicable`, or returns where the law holds.

    Attributes:
        number: Number of its paragraph in the list of laws.
        name: Name in reports, and the key under which `laws_exempt` exempts a block.
        check: The function; the first paragraph of its docstring states the law.
        examples: Number of trials that hypothesis draws.
    """

    number: int
    name: str
    check: Callable[[T], None]
    examples: int

    def __call__(self, trial: T) -> None:
        """Checks one trial."""
        self.check(trial)

    @property
    def says(self) -> str:
        """The law in words, as its docstring states it."""
        paragraph, *_ = (inspect.getdoc(self.check) or "").split("\n\n")
        return " ".join(paragraph.split())


def law(number: int, name: str, *, examples: int = 10) -> Callable[[Callable[[T], None]], Law[T]]:
    """Turns a function into a law.

    Args:
        number: Number of its paragraph in the list of laws.
        name: Name in reports.
        examples: Number of trials that hypothesis draws.
    """
    return lambda check: Law(number, name, check, examples)


def expect(condition: bool, words: str) -> None:
    """Raises `Violation(words)` unless the condition holds."""
    if not condition:
        raise Violation(words)


def expect_close(what: str, found: Tensor, expected: Tensor, *, tolerance: float = 0.0) -> None:
    """Compares two tensors; without tolerance they must be equal bit for bit.

    Args:
        what: Name of the tensor in the message.
        found: The tensor.
        expected: The tensor that it should be.
        tolerance: Upper bound of `|found - expected| / (1 + |expected|)`.

    Raises:
        Violation: If they differ; names the worst of all differences.
    """
    if found.shape != expected.shape:
        raise Violation(f"{what}: expected shape {tuple(expected.shape)}, found {tuple(found.shape)}")
    if not found.numel():
        return
    found, expected = found.detach().double(), expected.detach().double()
    # a NaN compares as false with everything: counted as infinitely far, it cannot pass
    gap = ((found - expected).abs() / (1 + expected.abs())).nan_to_num(nan=torch.inf)
    worst = torch.unravel_index(gap.argmax(), gap.shape)
    if not gap[worst] <= tolerance:
        at = [int(index) for index in worst]
        raise Violation(f"{what} at {at}: expected {expected[worst]:.8g}, found {found[worst]:.8g}")
