"""A law: a sentence about blocks that a function can refute, and the words in which it does so."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", contravariant=True)


class Violation(AssertionError):
    """What a law raises of a block that breaks it: what was looked at, what was expected, what was found."""


class NotApplicable(Exception):
    """What a law raises of a block that it says nothing about, and why."""


@dataclass(frozen=True)
class Law(Generic[T]):
    """A law, called with one trial of a block. Raises `Violation` or `NotApplicable`; silence is consent.

    - `number`: of its paragraph in the list of laws.
    - `name`: how reports call it, and the key under which `laws_exempt` exempts a block.
    - `check`: the function; the first paragraph of its docstring says the law.
    - `examples`: how many trials hypothesis draws.
    """

    number: int
    name: str
    check: Callable[[T], None]
    examples: int

    def __call__(self, trial: T) -> None:
        self.check(trial)

    @property
    def says(self) -> str:
        """The law in words."""
        paragraph, *_ = (inspect.getdoc(self.check) or "").split("\n\n")
        return " ".join(paragraph.split())


def law(number: int, name: str, *, examples: int = 10) -> Callable[[Callable[[T], None]], Law[T]]:
    """Makes a law of a function."""
    return lambda check: Law(number, name, check, examples)


def expect(condition: bool, words: str) -> None:
    """Raises `Violation(words)` unless the condition holds."""
    if not condition:
        raise Violation(words)


def expect_close(what: str, found: Tensor, expected: Tensor, *, tolerance: float = 0.0) -> None:
    """Raises `Violation` with the worst of all differences; with no tolerance the two must be equal bit for bit.

    - `tolerance`: of `|found - expected| / (1 + |expected|)`.
    """
    if found.shape != expected.shape:
        raise Violation(f"{what}: expected shape {tuple(expected.shape)}, found {tuple(found.shape)}")
    if not found.numel():
        return
    found, expected = found.detach().double(), expected.detach().double()
    gap = ((found - expected).abs() / (1 + expected.abs())).nan_to_num(nan=torch.inf)
    worst = torch.unravel_index(gap.argmax(), gap.shape)
    if not gap[worst] <= tolerance:
        at = [int(index) for index in worst]
        raise Violation(f"{what} at {at}: expected {expected[worst]:.8g}, found {found[worst]:.8g}")
