"""What a system is built from, as JSON can hold it: the part of a run's options that outlives the run."""

import json
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from crossmodal.tasks.resolve import find_system, find_task
from crossmodal.tasks.task import SystemModule
from crossmodal.training.choice import COUPLING, read_options
from crossmodal.training.component_parser import ComponentParser
from crossmodal.training.options import add_model, add_system, find_coupling
from crossmodal.training.run import build
from crossmodal.training.run_folder import CONFIG

BUILT_FROM = "built_from"
"""Attribute of a system that `build_system` made: its `SystemOptions`."""


class SystemOptions(NamedTuple):
    """Options that a system is built from; those that are left out have the defaults of the system's function.

    Attributes:
        task: Name of the task, or the module of a task of one's own.
        system: Name of the system, or the import path of its function.
        arguments: Keywords of the system and of its coupling, as `config.yaml` writes them: a component is its import
            path, or `{"class_path": …, "init_args": …}`.
        encoders: What is done to every encoder of the built model, as `--encoders` takes it.
        lockstep: How the model is run, as `--lockstep` takes it.
        seed: Seed of the initial weights: where encoders have no weights of their own, they are drawn from it.
    """

    task: str
    system: str
    arguments: Mapping[str, Any] = MappingProxyType({})
    encoders: Any = None
    lockstep: Any = None
    seed: int = 0


def options_of_run(run: Path, task: str) -> SystemOptions:
    """Returns what the system of a run was built from.

    Args:
        run: Folder of a run.
        task: As `SystemOptions` takes it.

    Raises:
        OSError: If it has no `config.yaml`.
        ValueError: If that holds no options.
    """
    stored = read_options(run / CONFIG)
    return SystemOptions(
        task,
        stored["system"],
        stored.get("model") or {},
        stored.get("encoders"),
        stored.get("lockstep"),
        stored.get("seed", 0),
    )


def build_system(options: SystemOptions, classes: Sequence[str]) -> SystemModule:
    """Builds a system as `crossmodal TASK fit` does, and writes on it, as `built_from`, the options it was built from.

    Args:
        options: What it is built from.
        classes: Label vocabulary.

    Raises:
        ValueError: If there is no such task, system or keyword, or a value does not fit it.
    """
    task = find_task(options.task)
    parser = _parser(options)
    given = _parsed(parser, options)
    system = build(parser.instantiate(given), classes, task)
    setattr(system, BUILT_FROM, options._replace(arguments=_as_written(parser, given).get("model") or {}))
    return system


def written_defaults(options: SystemOptions) -> dict[str, Any]:
    """Returns the options of the same system where nothing is given, as `config.yaml` would write them."""
    parser = _parser(options)
    return _as_written(parser, parser.get_defaults())


def keyword_types(options: SystemOptions) -> dict[str, Any]:
    """Returns keyword → type, of the system's function and of its coupling's."""
    system = find_system(options.system, find_task(options.task).name)
    usual = signature(system).parameters.get(COUPLING)
    coupling = options.arguments.get(COUPLING)
    chosen = [find_coupling(coupling)] if coupling else [usual.default] if usual else []
    types: dict[str, Any] = {}
    for function in (*chosen, system):  # where both have a keyword, it is the system's
        types |= get_type_hints(getattr(function, "func", function))
    return types


def path_keywords(options: SystemOptions) -> set[str]:
    """Returns the keywords of the system and of its coupling that take a path."""
    return {name for name, taken in keyword_types(options).items() if Path in (taken, *get_args(taken))}


def _parser(options: SystemOptions) -> ArgumentParser:
    """Returns the parser of the options of one system."""
    coupling = options.arguments.get(COUPLING) or ""
    parser = ComponentParser(exit_on_error=False)
    add_system(parser, find_task(options.task), options.system)
    add_model(parser, find_system(options.system, find_task(options.task).name), coupling)
    return parser


def _parsed(parser: ArgumentParser, options: SystemOptions) -> Namespace:
    """Parses options; the names and components in them are imported here.

    Raises:
        ValueError: If the system has no such keyword, or a value does not fit it.
    """
    names = ("system", "encoders", "lockstep", "seed")
    given = {name: getattr(options, name) for name in names}
    try:
        return parser.parse_object({**given, **({"model": dict(options.arguments)} if options.arguments else {})})
    except ArgumentError as error:
        raise ValueError(
            f"build_system: the options do not fit the system {options.system!r} of {options.task}: {error.message}"
        ) from error


def _as_written(parser: ArgumentParser, given: Namespace) -> dict[str, Any]:
    """Returns options as JSON has them: names and numbers in the place of components."""
    written: dict[str, Any] = json.loads(parser.dump(given, skip_unset=False, format="json"))
    return written
