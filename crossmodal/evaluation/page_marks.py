"""Tables inside a hand-written page: replaces what stands between two marks, `<!-- NAME: begin -->` and `end`."""

import re
from collections.abc import Sequence
from pathlib import Path

from crossmodal.io import write_whole


def check_page(page: Path, name: str) -> tuple[str, str]:
    """Returns what stands before and behind the marks of a page.

    A mark counts where the first opens a line and the second closes one: a sentence may mention both.

    Args:
        page: Markdown file.
        name: Of the marks.

    Raises:
        ValueError: If the page lacks them, or has one of them several times, or the second before the first.
    """
    begin, end = marks(name)
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if begin not in text or end not in text:
        raise ValueError(f"{name}: {page} has no place for the table: it lacks {begin} and {end}.")
    begins = [found.end() for found in re.finditer(rf"^[ \t]*{re.escape(begin)}", text, re.MULTILINE)]
    ends = [found.start() for found in re.finditer(rf"{re.escape(end)}[ \t]*$", text, re.MULTILINE)]
    # of several blocks nobody can say which is meant, and text between them would be lost
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        order = ", in the other order" if len(begins) == len(ends) == 1 else ""
        raise ValueError(
            f"{name}: {page} has no one place for the table: on lines of their own it has {begin} {_times(begins)} and "
            f"{end} {_times(ends)}{order}; let each stand once, the first before the second."
        )
    # what lies between the marks is replaced, and need not be kept
    return text[: begins[0] - len(begin)], text[ends[0] + len(end) :]


def write_between(page: Path, name: str, block: str) -> None:
    """Puts `block` between the marks of a page; raises `ValueError` as `check_page` does."""
    before, behind = check_page(page, name)
    begin, end = marks(name)
    write_whole(page, f"{before}{begin}\n\n{block.strip()}\n\n{end}{behind}")


def marks(name: str) -> tuple[str, str]:
    """Returns both marks."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _times(places: Sequence[int]) -> str:
    """Returns how often a mark was found."""
    return f"{len(places)} time{'' if len(places) == 1 else 's'}"
