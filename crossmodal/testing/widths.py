"""Bounds of the widths that trials draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRIED = (3, 2, 4, 8, 16, 32, 64)
"""Widths that are tried in turn: a factory that takes 3 is taken to take any, the others to take multiples."""


@dataclass(frozen=True)
class Widths:
    """Bounds widths: to a few numbers, or to multiples of one.

    Attributes:
        only: The widths that may be drawn; `None` for any.
        multiple_of: Number that every width is a multiple of.
    """

    only: tuple[int, ...] | None = None
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if self.multiple_of < 1 or min(self.only or (1,)) < 1:
            raise ValueError(f"Widths: widths={self.only} and multiple_of={self.multiple_of} must be at least 1.")
        if not self.tried:
            raise ValueError(
                f"Widths: none of widths={self.only} is a multiple of multiple_of={self.multiple_of}: leave one out."
            )

    @property
    def tried(self) -> Sequence[int]:
        """Widths that are tried with a factory, in turn."""
        if self.only is not None:
            return [width for width in self.only if width % self.multiple_of == 0]
        if self.multiple_of == 1:
            return TRIED
        return [self.multiple_of * times for times in (1, 2, 4, 8)]

    def from_first(self, first: int, strategies: Any) -> Any:
        """Builds a strategy of small widths from 2 on: multiples of the first one that a factory takes.

        Args:
            first: The first of those tried that the factory takes.
            strategies: The module `hypothesis.strategies`.
        """
        if self.only is not None:
            return strategies.sampled_from(self.tried)
        unit = 1 if first == TRIED[0] and self.multiple_of == 1 else first
        # from 2 on, rounded up to a multiple: a width of 1 would hide what is broadcast
        return strategies.integers(-(-2 // unit), 4 if unit == 1 else 2).map(unit.__mul__)


ANY = Widths()
"""No bounds."""
