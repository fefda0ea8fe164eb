"""Tasks, systems and couplings by name: ours by the file that they stand in, anybody's by import path.

There is no registry: the names are those of the files in `crossmodal/tasks/` and `crossmodal/recipes/<task>/`.
"""

import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple, cast

from .names import PACKAGE, system_names, task_names
from .task import Task

RECIPES = "crossmodal.recipes"


def find_task(name: str) -> Task:
    """Returns the task of that name, or the `TASK` of a module of the user's own, `mylab.counting`.

    Raises:
        ValueError: With near misses, if there is none.
    """
    if name in task_names():
        return cast(Task, import_module(f"crossmodal.tasks.{name}").TASK)
    try:
        found = getattr(import_module(name), "TASK", None)
    except ImportError as error:
        if name.split(".")[0] not in str(error):  # the module is there, and imports what is not
            raise
        raise ValueError(f"There is no task {name!r}: {_nearest(name, task_names())}") from error
    if found is None:
        raise ValueError(f"{name!r} is a module without a TASK: give it one, as the files of crossmodal.tasks do.")
    return cast(Task, found)


def task_word(task: Task) -> str:
    """Returns the word that names a task on the command line: its name, or the module of a task of the user's own."""
    module = type(task).__module__
    ours = task.name in task_names() and module == f"crossmodal.tasks.{task.name}"
    return task.name if ours else module


def find_system(name: str, task: str) -> Callable[..., Any]:
    """Returns the function that builds a system.

    Args:
        name: A file of the task's recipe folder, `han`; a module with a function of its own name, `mine` or
            `mylab.mine`; or the path of a function, `mylab.systems.mine`.
        task: Name of the task.

    Raises:
        ValueError: With near misses, if there is none.
    """
    if name in system_names(task):
        return cast(Callable[..., Any], getattr(import_module(f"{RECIPES}.{task}.{name}"), name))
    return _function_by_path(name, system_names(task), f"crossmodal {task} has no system {name!r}")


def settings_module(system: Callable[..., Any]) -> ModuleType:
    """Returns the module that a system's function stands in; its `SETTINGS` are the published training."""
    return import_module(getattr(getattr(system, "func", system), "__module__", __name__))


def system_module(name: str, task: str) -> ModuleType:
    """Returns the module whose `SETTINGS` are those of a system on a task.

    It is the file by which the system is named, also where that takes the function of another task; where that file has
    no `SETTINGS`, the module that the system's function stands in.

    Args:
        name: As `find_system` takes it.
        task: Name of the task.
    """
    if name in system_names(task):
        return import_module(f"{RECIPES}.{task}.{name}")
    found = _by_path(name)
    return found.module if found and hasattr(found.module, "SETTINGS") else settings_module(find_system(name, task))


def find_function(name: str, places: Sequence[str] = ()) -> Callable[..., Any]:
    """Returns a function by import path, or by the name of its file in one of the packages `places`.

    Raises:
        ValueError: With near misses, if there is none.
    """
    if name.isidentifier():
        for place in places:
            folder = PACKAGE.joinpath(*place.split(".")[1:])
            if (folder / f"{name}.py").is_file():
                return cast(Callable[..., Any], getattr(import_module(f"{place}.{name}"), name))
    known = [file.stem for place in places for file in PACKAGE.joinpath(*place.split(".")[1:]).glob("*.py")]
    return _function_by_path(name, known, f"{name!r} is no function here")


class _Found(NamedTuple):
    """A function at an import path, and the module of that path, into which it may have been imported."""

    module: ModuleType
    function: Callable[..., Any]


def _function_by_path(name: str, known: Sequence[str], what: str) -> Callable[..., Any]:
    """Returns the function at an import path; refuses one that is not there with the nearest of the known names."""
    found = _by_path(name)
    if found is None:
        raise ValueError(
            f"{what}: {_nearest(name, known)} A module of your own is given by its path, such as mylab.mine."
        )
    return found.function


def _by_path(name: str) -> _Found | None:
    """Returns what is at an import path: a function of a module of the same name, or an attribute of a module."""
    above, _, leaf = name.rpartition(".")
    for module, attribute in ((name, leaf), (above, leaf)):
        if not module:
            continue
        try:
            place = import_module(module)
        except ModuleNotFoundError as error:
            # the module is there, and imports what is not
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ValueError(f"{name!r} cannot be imported: {error}.") from error
            continue
        except ImportError as error:
            raise ValueError(f"{name!r} cannot be imported: {error}.") from error
        function = getattr(place, attribute, None)
        if callable(function):
            return _Found(place, function)
    return None


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}."
