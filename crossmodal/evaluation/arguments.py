"""Python objects as words of a command line: numbers as they are, classes and functions by import path."""

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import chain
from typing import Any


def words_of(option: str, value: Any) -> list[str]:
    """Returns the words that give a value to an option.

    Args:
        option: Name of the option, `--model.spatial`.
        value: A class or function that another process can import, a partial of one by keywords, or anything that JSON
            can hold: a number, text, `None`, sequences and mappings of these.

    Raises:
        ValueError: In words, if another process could not have it.
    """
    if isinstance(value, partial):
        if value.args:
            raise ValueError(f"{option}: {value} has arguments without names: give all of them by keyword.")
        inner = (words_of(f"{option}.{name}", given) for name, given in value.keywords.items())
        return [*words_of(option, value.func), *chain.from_iterable(inner)]
    if isinstance(value, str):
        return [option, value]
    if callable(value):
        return [option, path_of(value, option)]
    try:
        return [option, json.dumps(value)]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{option}: {value!r} cannot be given to another process ({error}): give a number, text, a sequence of "
            f"these, or a class or function that can be imported."
        ) from error


def path_of(value: Callable[..., Any], option: str) -> str:
    """Returns the import path `module.name` of a class or function.

    Args:
        value: The class or function.
        option: Names it in an error.

    Raises:
        ValueError: In words, if another process could not import it.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if name is None or module is None:
        raise ValueError(f"{option}: {type(value).__name__} object is no class or function: give what makes it.")
    if reason := _hidden(module, name):
        raise ValueError(
            f"{option}: {name} {reason}, and every run is a process of its own: put it at the top level of a module "
            f"beside you, such as mylab.py, and import it from there."
        )
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{option}: {module}.{name} cannot be imported: {error}.") from error
    if found is not value:  # a decorator or a reload has put something else in its place
        raise ValueError(f"{option}: {module}.{name} is something else than what was given: give that, or rename it.")
    return f"{module}.{name}"


def _hidden(module: str, name: str) -> str:
    """Returns why another process cannot import this; an empty text if it can."""
    if "<lambda>" in name:
        return "has no name"
    if "<locals>" in name:
        return "lives in a function"
    if module == "__main__":
        return "lives in the script or notebook that runs (__main__)"
    return "lives in a class" if "." in name else ""
