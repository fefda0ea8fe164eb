"""The options that decide which others there are: system, data source, settings, encoders, coupling."""

import argparse
import inspect
from collections.abc import Mapping, Sequence
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
    """Reads the options that decide on the others from a command line, or from the YAML file that it names."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    needed = {name: required(source) for name, source in task.sources.items()}
    names = ["system", "training", f"model.{COUPLING}", *(f"model.{name}" for name in BACKBONES)]
    names += [f"data.{keyword}" for keywords in needed.values() for keyword in keywords]
    for name in dict.fromkeys(names):
        first.add_argument(f"--{name}")
    given = vars(first.parse_known_args(argv)[0])
    stored = read_options(given["config"]) if given["config"] else {}

    def said(name: str) -> Any:
        return given[name] if given[name] is not None else nested(stored, name)

    backbones = [said(f"model.{name}") or TINY for name in BACKBONES]
    system = said("system") or (ANY_PAIR if any(":" in name for name in backbones) else task.system)
    return Choice(
        system=system,
        source=_source({name: [said(f"data.{keyword}") for keyword in keywords] for name, keywords in needed.items()}),
        training=said("training") or "",
        tiny=backbones == [TINY, TINY],
        coupling=said(f"model.{COUPLING}") or "",
    )


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
