"""A law: a sentence about blocks that a function can refute, and the words in which it does so."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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

    What it returns, if anything, is a measurement in words that the report prints below the verdict.

    Attributes:
        number: Number of its paragraph in the list of laws.
        name: Name in reports, and the key under which `laws_exempt` exempts a block.
        check: The function; the first paragraph of its docstring states the law.
        examples: Number of trials that hypothesis draws.
    """

    number: int
    name: str
    check: Callable[[T], str | None]
    examples: int

    def __call__(self, trial: T) -> str | None:
        """Checks one trial; returns what was measured, if the law measures anything."""
        return self.check(trial)

    @property
    def says(self) -> str:
        """The law in words, as its docstring states it."""
        paragraph, *_ = (inspect.getdoc(self.check) or "").split("\n\n")
        return " ".join(paragraph.split())


def law(number: int, name: str, *, examples: int = 10) -> Callable[[Callable[[T], str | None]], Law[T]]:
    """Turns a function into a law.

    Args:
        number: Number of its paragraph in the list of laws.
        name: Name in reports.
        examples: Number of trials that hypothesis draws.
    """
    return lambda check: Law(number, name, check, examples)


def in_order(*asked: Law[Any]) -> tuple[Law[Any], ...]:
    """Sorts laws by their number."""
    return tuple(sorted(asked, key=lambda law: law.number))


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
    if found.dtype == expected.dtype and torch.equal(found, expected):
        return
    if not found.numel():
        return
    found, expected = exactly(found), exactly(expected)
    # A NaN compares as false with everything: counted as infinitely far, it cannot pass. Where both are infinite their
    # difference is nan, though they are equal.
    gap = ((found - expected).abs() / (1 + expected.abs())).nan_to_num(nan=torch.inf).masked_fill(found == expected, 0)
    worst = torch.unravel_index(gap.argmax(), gap.shape)
    if not gap[worst] <= tolerance:
        at = [int(index) for index in worst]
        wanted, got = told_apart(expected[worst], found[worst])
        raise Violation(f"{what} at {at}: expected {wanted}, found {got}")


def exactly(tensor: Tensor) -> Tensor:
    """Returns a tensor in the widest dtype of its kind: complex numbers stay complex."""
    return tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)


def told_apart(one: Tensor, other: Tensor) -> tuple[str, str]:
    """Formats two numbers in eight digits, or in all where eight do not tell them apart."""
    pairs = ((f"{one.item():.{digits}g}", f"{other.item():.{digits}g}") for digits in (8, 17))
    short, full = pairs
    return short if short[0] != short[1] else full
