"""Results as words: Markdown tables, seconds with their spread, ratios of pairs; and the page they stand on."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossmodal.evaluation import page_marks

GIGA = 10**9


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(seconds: Sequence[float]) -> str:
    """The median and, in brackets, the smallest and the largest, in seconds or milliseconds."""
    unit, factor = ("s", 1.0) if statistics.median(seconds) >= 1 else ("ms", 1e3)
    low, middle, high = (f"{factor * value:.3g}" for value in (min(seconds), statistics.median(seconds), max(seconds)))
    return f"{middle} {unit} ({low}…{high})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of what one took over what the other took in the same round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def giga(number: float) -> str:
    """In units of 10⁹, three digits at least."""
    return f"{number / GIGA:,.2f}" if number < 100 * GIGA else f"{number / GIGA:,.0f}"


def check_page(page: Path, groups: Iterable[str]) -> None:
    """`ValueError` where a page has no place for the tables of a group: before the hours, not after them."""
    for group in groups:
        page_marks.check_page(page, f"benchmarks {group}")


def write_page(page: Path, group: str, block: str) -> None:
    """Puts `block` between the marks of a group."""
    page_marks.write_between(page, f"benchmarks {group}", block)
