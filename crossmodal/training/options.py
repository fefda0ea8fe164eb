"""Options of `crossmodal TASK fit`: those of the model are the keywords of the system's own function."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentParser, Namespace

from crossmodal.injection import Encoder, Lockstep
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import RECIPES, find_function, find_system, system_module
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.stages import stages_of
from crossmodal.tasks.task import Task

from .choice import COUPLING, FED, Choice, chosen, files_first, required
from .fit_parser import FitParser, ShortHelp
from .lightning_module import SystemTraining
from .stages import add_stage

TRAINER = {"num_sanity_val_steps": 0, "enable_model_summary": False, "log_every_n_steps": 5, "logger": False}


def options(task: Task, choice: Choice) -> FitParser:
    """Returns the parser of a task's `fit` for one system, source and training."""
    system, source = find_system(choice.system, task.name), task.sources[choice.source]
    parser = FitParser(
        prog=f"crossmodal {task.name} fit",
        description=f"{task.about} {_sources(task)}",
        formatter_class=ShortHelp,
        allow_abbrev=False,
    )
    parser.other_sources = {name: other for name, other in task.sources.items() if name != choice.source}
    _add_run_options(parser, task, choice)
    add_model(parser, system, choice.coupling)
    parser.add_class_arguments(source, "data")
    parser.add_class_arguments(SystemTraining, "optim", skip={"system", "task"}, instantiate=False)
    parser.add_class_arguments(pl.Trainer, "trainer", instantiate=False)
    parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER.items()})
    for stage in stages_of(choice.system, task.name):
        add_stage(parser, stage, tiny=choice.tiny)
    for settings, name in _settings(task, choice):
        set_defaults(parser, settings, name)
    return parser


def _add_run_options(parser: ArgumentParser, task: Task, choice: Choice) -> None:
    """Adds the options of a run, whatever the system is."""
    add = parser.add_argument
    add("--config", action="config", help="YAML file of any of these options, as --print_config shows them")
    add("--name", type=str | None, default=None, help="name of the run (default: the time)")
    add("--runs", type=Path, default=Path("runs"), help="folder of runs")
    add("--resume", type=bool, default=False, help="go on with the run --name from its last checkpoint")
    minutes = "minutes between checkpoints within an epoch; 0 is before every step"
    add("--save_minutes", type=float, default=10.0, help=minutes)
    trained = "settings in place of the system's own: released_training, or the path of a function of yours"
    add("--training", type=str, default=choice.training, help=trained)
    add_system(parser, task, choice.system)


def add_system(parser: ArgumentParser, task: Task, system: str) -> None:
    """Adds the options that, with those of the model, say what is built: seed, system, encoders, lockstep."""
    add = parser.add_argument
    add("--seed", type=int, default=0, help="seed of weights, shuffling and dropout")
    known = ", ".join(system_names(task.name))
    add("--system", type=str, default=system, help=f"{known}, or a file of your own: mylab.mine")
    changed = "what is done to every encoder of the model, as in crossmodal.injection.freeze_parameters"
    add("--encoders", type=Callable[[Encoder], Any] | None, default=None, help=changed)
    run = "how the model is run, as by crossmodal.injection.recomputed (less memory) or .checkpointed (least)"
    add("--lockstep", type=Callable[[Lockstep], Any] | None, default=None, help=run)


def add_model(parser: ArgumentParser, system: Callable[..., Any], coupling: str = "") -> None:
    """Adds the options `--model.…`: the keywords of the system, and of the coupling that it takes, if any."""
    keywords = _parameters(system)
    # jsonargparse reads the function itself: what a partial has settled becomes a default of its option
    described = getattr(system, "func", system)
    settled = {name: value for name, value in getattr(system, "keywords", {}).items() if name != COUPLING}
    parser.add_function_arguments(described, "model", skip={"classes", COUPLING})
    parser.set_defaults({f"model.{name}": as_option(value) for name, value in settled.items()})
    if COUPLING not in keywords:
        return
    usual = keywords[COUPLING].default
    chosen = find_coupling(coupling) if coupling else usual
    parser.add_argument(f"--model.{COUPLING}", type=str, default=coupling, help=_HELP_COUPLING)
    function = getattr(chosen, "func", chosen)
    parser.add_function_arguments(function, "model", as_group=False, skip={*FED, *keywords})
    settled = getattr(chosen, "keywords", {})
    parser.set_defaults({f"model.{name}": as_option(value) for name, value in settled.items()})


_HELP_COUPLING = "what couples the encoders in place of the system's own: dg_sct, lavish, lite, or a path of yours"


def as_option(value: Any) -> Any:
    """Returns a default as `config.yaml` can keep it: a partial by keywords becomes a class path and its arguments."""
    if not isinstance(value, partial) or value.args:
        return value
    path = f"{value.func.__module__}.{value.func.__qualname__}"
    return {"class_path": path, "init_args": {name: as_option(given) for name, given in value.keywords.items()}}


def find_coupling(name: str) -> Callable[..., Any]:
    """Returns a coupling by the name of its recipe file, or by import path."""
    return find_function(name, (RECIPES,))


def model_keywords(system: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Sorts the values of `--model.…` into keywords of the system; those of the coupling become a partial of it."""
    own = _parameters(system)
    given = {name: value for name, value in values.items() if name in own and name != COUPLING}
    if COUPLING not in own:
        return given
    usual = own[COUPLING].default
    chosen = find_coupling(values[COUPLING]) if values.get(COUPLING) else usual
    rest = {name: value for name, value in values.items() if name not in own}
    return {**given, COUPLING: partial(getattr(chosen, "func", chosen), **rest)}


def model_values(arguments: Namespace) -> dict[str, Any]:
    """Returns the values of `--model.…` by keyword; none for a system without keywords."""
    return {} if arguments.get("model") is None else vars(arguments.model)


def keyword_names(system: Callable[..., Any], coupling: str = "") -> list[str]:
    """Returns the names behind `--model.` of a system."""
    own = _parameters(system)
    names = [name for name in own if name not in ("classes", COUPLING)]
    if COUPLING in own:
        chosen = find_coupling(coupling) if coupling else own[COUPLING].default
        names += [name for name in _parameters(chosen) if name not in (*FED, *names)]
    return names


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _settings(task: Task, choice: Choice) -> list[tuple[Settings, str]]:
    """Returns the settings of a choice, later ones winning, each with the name that an error uses."""
    module = system_module(choice.system, task.name)
    found = [(getattr(module, "SETTINGS", Settings()), f"SETTINGS of {choice.system}")]
    if choice.tiny:
        found.append((task.quick, f"quick settings of {task.name}"))
        found.append((getattr(module, "QUICK", Settings()), f"QUICK of {choice.system}"))
    if choice.training:
        named = find_function(choice.training, (f"{RECIPES}.{task.name}",))
        found.append((named(), f"--training {choice.training}"))
    return found


def set_defaults(parser: ArgumentParser, settings: Settings, name: str) -> None:
    """Puts the values of settings in the place of defaults.

    Raises:
        ValueError: If the parser has no such option.
    """
    for option, value in settings.options().items():
        try:
            parser.set_defaults({option: value})
        except KeyError as error:
            raise ValueError(f"{name} sets {option}, which `{parser.prog}` does not have: give another.") from error


def parse(argv: Sequence[str], task: Task, *, asked_by: OptionParser | None = None) -> tuple[ArgumentParser, Namespace]:
    """Parses the options of a task's `fit`: first those, from them or a YAML file, that decide on the others.

    Args:
        argv: The options; those of the command line win over files, wherever they stand.
        task: The task.
        asked_by: Parser of another verb that takes them beside its own; errors are of that verb, and know its options.

    Raises:
        ValueError: If another system was read than the one whose options these are.
    """
    choice = chosen(argv, task)
    parser = options(task, choice)
    if asked_by is not None:
        parser.asked_by, parser.prog = asked_by, asked_by.prog
    given = parser.parse_args(files_first(argv))
    if (given.system, given.training) != (choice.system, choice.training):
        raise ValueError(
            f"{parser.prog}: the options say --system {given.system} --training {given.training!r}, but were read as "
            f"those of {choice.system} with {choice.training!r}: say both on the command line."
        )
    return parser, given


LEAST: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("seed", "save_minutes", "data.workers", "optim.lr"), 0),
        **dict.fromkeys(("data.batch_size", "data.clips", "data.held_out", "optim.every"), 1),
        **dict.fromkeys(("data.mask_size", "data.wave_rate"), 1),
        "trainer.accumulate_grad_batches": 1,
    }
)
"""Option → its least value."""


def check_least_values(given: Namespace, task: Task) -> None:
    """Refuses numbers with which nothing can be trained, before anything is built.

    Raises:
        ValueError: Naming the option, its value and the least one.
    """
    for option, least in LEAST.items():
        value = given.get(option)
        if isinstance(value, int | float) and not value >= least:  # NaN is refused, too
            raise ValueError(f"{task.name} fit: --{option} {value} must be at least {least}.")
    if given.seed >= 2**32:
        raise ValueError(f"{task.name} fit: --seed {given.seed} must be below {2**32}, as numpy's must.")


def _sources(task: Task) -> str:
    """Returns a sentence on where data comes from."""
    ways = [
        f"{name}: {' '.join(f'--data.{keyword} …' for keyword in keywords) or 'the default'}"
        for name, keywords in ((name, required(source)) for name, source in task.sources.items())
    ]
    return f"Data sources are {'; '.join(ways)}; all their options are listed below."
