"""Tables inside a hand-written page: replaces what stands between two marks, `<!-- NAME: begin -->` and `end`."""

from pathlib import Path

from crossmodal.io import write_whole


def check_page(page: Path, name: str) -> tuple[str, str]:
    """Returns what stands before and behind the marks of a page.

    Args:
        page: Markdown file.
        name: Of the marks.

    Raises:
        ValueError: If the page lacks them.
    """
    begin, end = _marks(name)
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if begin not in text or end not in text:
        raise ValueError(f"{name}: {page} has no place for the table: it lacks {begin} and {end}.")
    return text.split(begin)[0], text.split(end)[1]  # what lies between the marks is replaced, and need not be kept


def write_between(page: Path, name: str, block: str) -> None:
    """Puts `block` between the marks of a page."""
    before, behind = check_page(page, name)
    begin, end = _marks(name)
    write_whole(page, f"{before}{begin}\n\n{block.strip()}\n\n{end}{behind}")


def _marks(name: str) -> tuple[str, str]:
    """Returns both marks."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
