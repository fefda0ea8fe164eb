"""Glob patterns over dotted module names."""

import difflib
import re
from collections.abc import Iterable

WILDCARDS = {"**": "(.+)", "*": "([^.]+)", "?": "([^.])"}


def match(pattern: str, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the names that `pattern` matches, each with what its wildcards stand for.

    `*` is any part of a name between two dots, `?` one character of it, `**` anything, dots included.
    """
    pieces = re.split(r"(\*\*|\*|\?)", pattern)  # the group keeps the wildcards among the pieces
    compiled = re.compile("".join(WILDCARDS.get(piece, re.escape(piece)) for piece in pieces))
    found = {name: compiled.fullmatch(name) for name in names}
    return {name: hit.groups() for name, hit in found.items() if hit}


def fill(pattern: str, stand_for: tuple[str, ...]) -> str:
    """Replaces the wildcards of `pattern`, in order, by what they stand for; raises `ValueError` where it has more."""
    wildcards = re.findall(r"\*\*|\*|\?", pattern)
    if len(wildcards) > len(stand_for):
        raise ValueError(
            f"Injected: reads={pattern!r} has {len(wildcards)} wildcards, but the pattern that it belongs to has "
            f"{len(stand_for)}; each of them stands for what matched there."
        )
    pieces = re.split(r"\*\*|\*|\?", pattern)
    return "".join(piece + value for piece, value in zip(pieces, (*stand_for[: len(wildcards)], ""), strict=True))


def near(pattern: str, names: Iterable[str]) -> str:
    """Returns, for an error message, the names that come nearest to a pattern that matches none."""
    names = list(names)
    closest = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:3]
    return f"nearest are {', '.join(map(repr, closest))} (of {len(names)})" if names else "there are none"
