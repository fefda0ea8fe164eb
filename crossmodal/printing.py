"""A compact `repr` of modules whose parts repeat, in order of execution."""

import re
from collections.abc import Iterator
from itertools import groupby

from torch import nn

NUMBER = re.compile(r"\d+")


def compact_repr(module: nn.Module) -> str:
    """Writes a module as torch does, but repeated entries of its `ModuleDict`s in one line each, in their order.

    Neighbours that are alike share a line: `(stages0_0_mlp, stages0_1_mlp): 2 x PostNorm(…)`, with the first and the
    last name of more than three. An entry like an earlier one refers to it: `PostNorm(as stages0_0_mlp)`, or
    `PostNorm(as stages0_0_mlp, with other numbers)` where only numbers differ.

    Args:
        module: Module to be written; of its direct children the `ModuleDict`s are made compact.
    """
    children = [(name, child) for name, child in module._modules.items() if child is not None]
    texts = [_entries(child) if type(child) is nn.ModuleDict else repr(child) for _, child in children]
    return _written(module, [f"({name}): {text}" for (name, _), text in zip(children, texts, strict=True)])


def _entries(entries: nn.ModuleDict) -> str:
    inner = []
    for text, alike in groupby(_texts(entries), key=lambda pair: pair[1]):
        names = [name for name, _ in alike]
        called = ", ".join(names) if len(names) <= 3 else f"{names[0]}, … {names[-1]}"
        inner.append(f"({called}): {f'{len(names)} x ' if len(names) > 1 else ''}{text}")
    return _written(entries, inner)


def _texts(entries: nn.ModuleDict) -> Iterator[tuple[str, str]]:
    """Yields the name of every entry and how it is written: in full, or by reference to an earlier one."""
    same: dict[str, str] = {}
    similar: dict[str, str] = {}
    before = written = ""
    for name, entry in entries.items():
        text, kind = repr(entry), type(entry).__name__
        form = NUMBER.sub("0", text)
        if text != before:
            written = text
            if "\n" in text and text in same:
                written = f"{kind}(as {same[text]})"
            elif "\n" in text and form in similar:
                written = f"{kind}(as {similar[form]}, with other numbers)"
        same.setdefault(text, name)
        similar.setdefault(form, name)
        before = text
        yield name, written


def _written(module: nn.Module, inner: list[str]) -> str:
    """Writes a module as torch does: its own numbers, then its children, one a line and indented."""
    lines = [*module.extra_repr().splitlines(), *inner]
    if not inner:
        return f"{type(module).__name__}({', '.join(lines)})"
    return "\n".join([f"{type(module).__name__}(", *("  " + line for text in lines for line in text.split("\n")), ")"])
