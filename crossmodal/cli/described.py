"""A sentence for every option, from the docstrings that the library has: lists of `` `name`: what it is ``."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonargparse import ArgumentParser

ITEM = re.compile(r"\n\s*\n(?:- )?|\n- |^- ")
HEAD = re.compile(r"(?:^|(?<=[.;] ))(`\w+`(?:, `\w+`)*): ")


def sentences(described: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a function, or of a class, its constructor and its parents, says of every argument."""
    found: dict[str, str] = {}
    for text in _docstrings(described):
        for item in ITEM.split(text):
            _, *pairs = HEAD.split(" ".join(item.split()))
            for names, said in zip(pairs[::2], pairs[1::2], strict=True):
                for name in re.findall(r"\w+", names):
                    found.setdefault(name, said.strip(" .;").replace("`", ""))
    return found


def describe(parser: ArgumentParser, group: str, described: Callable[..., Any]) -> None:
    """Gives the options `--group.name` that have no help yet the sentence for `name`."""
    said = sentences(described)
    for action in parser._actions:
        owner, _, name = action.dest.rpartition(".")
        if owner == group and not action.help and name in said:
            action.help = said[name].replace("%", "%%")


def _docstrings(described: Callable[..., Any]) -> Iterator[str]:
    sources = [described]
    if inspect.isclass(described):
        sources = [part for each in described.__mro__[:-1] for part in (each.__init__, each)]
    for source in sources:
        if text := inspect.getdoc(source):
            yield text
