"""What a downloaded folder may name: components of this library alone, for whatever else it names would run here.

A component is an import path, and importing a module runs it. Strings that cannot be one are let pass by their place:
those that equal the recipe's own default, and those of keywords that take text, numbers or paths and nothing else.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from crossmodal.tasks.names import PACKAGE, system_names, task_names
from crossmodal.training.choice import COUPLING

from .named_files import strings
from .system_options import SystemOptions, keyword_types, written_defaults

FLOORS = ("adapters", "alignment", "attention", "audio", "encoders", "guidance", "heads", "injection", "prompts")
COMPONENTS = tuple(f"crossmodal.{floor}." for floor in FLOORS)
"""Beginnings of the import paths of classes and functions that a downloaded folder may name."""

PLAIN = (str, int, float, bool, NoneType, Path)
WORD = re.compile(r"[\w-]*")


def check_downloaded(options: SystemOptions, place: str) -> None:
    """Refuses options that would import anything but components of this library.

    Args:
        options: Options that a downloaded folder holds.
        place: What the error names.

    Raises:
        ValueError: Naming the first such option and its value.
    """
    for name, value in _foreign(options):
        raise ValueError(
            f"load: {place} sets {name} to {value!r}, which is no component of crossmodal and could run code of its "
            "author here: read that code, install it, and pass trusted=True, or leave the folder alone."
        )


def _foreign(options: SystemOptions) -> Iterator[tuple[str, Any]]:
    """Yields the options that are not known to be harmless: what is built is found by names, without an import."""
    if options.task not in task_names():
        yield "task", options.task
    elif options.system not in system_names(options.task):
        yield "system", options.system
    elif (coupling := options.arguments.get(COUPLING) or "") and not _is_recipe(coupling):
        yield f"model.{COUPLING}", coupling
    else:
        usual = dict(strings("", written_defaults(options)))
        plain = _plain_keywords(options)
        given = {"encoders": options.encoders, "lockstep": options.lockstep, "model": dict(options.arguments)}
        for name, value in strings("", given):
            of_text = name.startswith("model.") and name.split(".")[1] in plain
            if usual.get(name) != value and not of_text and not WORD.fullmatch(value) and not is_component(value):
                yield name, value


def _is_recipe(name: Any) -> bool:
    """Returns whether it is the name of one of our couplings."""
    return isinstance(name, str) and name.isidentifier() and (PACKAGE / "recipes" / f"{name}.py").is_file()


def is_component(path: str) -> bool:
    """Returns whether an import path leads to a class or function of this library that builds parts of models."""
    module, _, name = path.rpartition(".")
    if not (name.isidentifier() and (module == "crossmodal" or f"{module}.".startswith(COMPONENTS))):
        return False
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return False
    # what a module of ours has itself imported, such as `os`, is none of ours
    return (isclass(found) or isfunction(found)) and found.__module__.startswith(COMPONENTS)


def _plain_keywords(options: SystemOptions) -> set[str]:
    """Returns the keywords of the system and of its coupling that take text, numbers or paths and nothing else."""
    return {name for name, hint in keyword_types(options).items() if _is_plain(hint)}


def _is_plain(hint: Any) -> bool:
    parts = [part for part in get_args(hint) if part is not Ellipsis]
    return all(map(_is_plain, parts)) if parts else hint in PLAIN
