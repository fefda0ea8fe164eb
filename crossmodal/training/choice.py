"""The options that decide which others there are: system, data source, settings, encoders, coupling."""

import argparse
import inspect
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from crossmodal.data.source import Source
from crossmodal.tasks.task import Task

BACKBONES = ("visual", "audio")
FED = (*BACKBONES, "guides")
"""What a system gives its coupling itself, so that no option does."""
TINY = "tiny"
ANY_PAIR = "any_pair"
"""System of a task for encoders of other libraries."""

GROUPS = ("model", "data")
"""Groups of options that a file of their own may hold."""

COUPLING = "coupling"
"""Keyword of coupled systems; the coupling's own keywords are options of the model, too."""


class Choice(NamedTuple):
    """The options that decide which others there are.

    Attributes:
        system: Name or path of the system.
        source: Name of the task's data source.
        training: Name or path of settings in place of the system's own; empty for these.
        tiny: Whether the encoders are the tiny ones, for which the task's quick settings are meant.
        coupling: Path of a coupling in place of the system's own; empty for that.
    """

    system: str
    source: str
    training: str = ""
    tiny: bool = True
    coupling: str = ""


def chosen(argv: Sequence[str], task: Task) -> Choice:
    """Reads the options that decide on the others from a command line and the YAML files that it names.

    Args:
        argv: The options. What is said on the command line wins over every file, and a later file over those before.
        task: The task.
    """
    needed = {name: required(source) for name, source in task.sources.items()}
    names = ["system", "training", f"model.{COUPLING}", *(f"model.{name}" for name in BACKBONES)]
    names += [f"data.{keyword}" for keywords in needed.values() for keyword in keywords]
    given: dict[str, Any] = {}
    for name, value in _words(argv, ["config", *GROUPS, *dict.fromkeys(names)]):
        _merge(given, _read_file(Path(value)) if name == "config" else _nest(name, value))

    def said(name: str) -> Any:
        return nested(given, name)

    backbones = [said(f"model.{name}") or TINY for name in BACKBONES]
    system = said("system") or (ANY_PAIR if any(":" in name for name in backbones) else task.system)
    return Choice(
        system=system,
        source=_source({name: [said(f"data.{keyword}") for keyword in keywords] for name, keywords in needed.items()}),
        training=said("training") or "",
        tiny=backbones == [TINY, TINY],
        coupling=said(f"model.{COUPLING}") or "",
    )


def files_first(argv: Sequence[str]) -> list[str]:
    """Returns the words of a command line with its `--config FILE` in front: jsonargparse lets later words win."""
    files: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--config":
            files += [word, *islice(words, 1)]
        else:
            (files if word.startswith("--config=") else rest).append(word)
    return [*files, *rest]


class _InOrder(argparse.Action):
    """Keeps options and their values in the order in which they stand."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        namespace.words.append((self.dest, values))


def _words(argv: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the options of these names in the order in which they count."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        first.add_argument(f"--{name}", dest=name, action=_InOrder)
    found: list[tuple[str, str]] = first.parse_known_args(files_first(argv), argparse.Namespace(words=[]))[0].words
    return found


def _read_file(file: Path) -> dict[str, Any]:
    """Returns the options of a YAML file; a group that it names another file for is read from there."""
    options = read_options(file)
    return options | {name: _group(options[name], file.parent) for name in GROUPS if name in options}


def _group(value: Any, folder: Path) -> Any:
    """Returns the options of a group: a mapping, or the file, relative to `folder`, or the text that holds one."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return yaml.safe_load(value)
    return read_options(folder / value) if (folder / value).is_file() else {}


def _nest(name: str, value: Any) -> dict[str, Any]:
    """Returns one option by its dotted name as options of a YAML file."""
    outer, _, inner = name.partition(".")
    if name in GROUPS:
        value = _group(value, Path())
    return {outer: _nest(inner, value) if inner else value}


def _merge(options: dict[str, Any], later: Mapping[str, Any]) -> None:
    """Puts later options into those before them, group by group, in place."""
    for name, value in later.items():
        before = options.get(name)
        if isinstance(before, dict) and isinstance(value, Mapping):
            _merge(before, value)
        else:
            options[name] = dict(value) if isinstance(value, Mapping) else value


def required(source: type[Source]) -> list[str]:
    """Returns the keywords without which a source cannot be made: giving one chooses the source."""
    taken = inspect.signature(source).parameters.values()
    return [parameter.name for parameter in taken if parameter.default is parameter.empty]


def _source(values: Mapping[str, Sequence[Any]]) -> str:
    """Returns the source of which a required keyword is given, or the first that requires none."""
    for name, of_source in values.items():
        if any(value is not None for value in of_source):
            return name
    return next((name for name, of_source in values.items() if not of_source), next(iter(values)))


def nested(options: Mapping[str, Any], name: str) -> Any:
    """Returns an option of a YAML file by its dotted name; `None` where it is not there."""
    found: Any = options
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def flattened(options: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Returns the options of a YAML file by dotted name; a mapping without content is a value."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        dotted = f"{at}.{name}" if at else str(name)
        found |= flattened(value, dotted) if isinstance(value, Mapping) and value else {dotted: value}
    return found


def read_options(file: Path) -> dict[str, Any]:
    """Returns the options that a YAML file holds.

    Raises:
        ValueError: If it holds none, or cannot be read.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"--config {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {file} is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"--config {file} holds no options; --print_config shows what they look like.")
    return found
