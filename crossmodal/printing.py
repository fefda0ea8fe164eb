"""What `print(model)` shows of parts that repeat: what reads the same stands once, under all its names."""

import re

from torch import nn

NUMBER = re.compile(r"\d+")


def folded(module: nn.Module) -> str:
    """As `repr` of a module, save that entries of its `ModuleDict`s that are alike are written once.

    - Equal entries stand together: `(stages0_0_mlp, stages0_1_mlp): 2 x PostNorm(…)`, the first and the last of more
      than three.
    - Entries that differ from earlier ones in numbers alone say so:
      `2 x PostNorm(as stages0_0_mlp, with other numbers)`.
    """
    children = [(name, child) for name, child in module._modules.items() if child is not None]
    texts = [_entries(child) if type(child) is nn.ModuleDict else repr(child) for _, child in children]
    return _written(module, [f"({name}): {text}" for (name, _), text in zip(children, texts, strict=True)])


def _entries(entries: nn.ModuleDict) -> str:
    forms: dict[str, dict[str, list[str]]] = {}
    for name, entry in entries.items():
        text = repr(entry)
        forms.setdefault(NUMBER.sub("0", text), {}).setdefault(text, []).append(name)
    inner = []
    for alike in forms.values():
        (text, names), *others = alike.items()
        inner.append(_entry(names, text))
        rest = [name for _, names in others for name in names]
        if rest and "\n" in text:
            inner.append(_entry(rest, f"{text.partition('(')[0]}(as {names[0]}, with other numbers)"))
        else:
            inner += [_entry(names, text) for text, names in others]
    return _written(entries, inner)


def _entry(names: list[str], text: str) -> str:
    times = f"{len(names)} x " if len(names) > 1 else ""
    return f"({_called(names)}): {times}{text}"


def _called(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, … {names[-1]}"


def _written(module: nn.Module, inner: list[str]) -> str:
    """As torch writes a module: its own numbers, then its children, one a line and indented."""
    lines = [*module.extra_repr().splitlines(), *inner]
    if not inner:
        return f"{type(module).__name__}({', '.join(lines)})"
    return "\n".join([f"{type(module).__name__}(", *("  " + line for text in lines for line in text.split("\n")), ")"])
