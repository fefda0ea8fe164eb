"""The options of `crossmodal … fit`: those of the model are the keywords of the recipe itself."""

import argparse
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import yaml
from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from crossmodal.cli.described import describe
from crossmodal.encoders.by_name.released import EncoderWeights
from crossmodal.injection import Encoder, Lockstep
from crossmodal.tasks.resolve import resolve
from crossmodal.tasks.task import Task

TRAINER = {"num_sanity_val_steps": 0, "enable_model_summary": False, "log_every_n_steps": 5}
BACKBONES = ("visual", "audio")
GIVEN = ("coupled", "classes", "weights")
"""Keywords of a size that have options of their own, or none."""


class Choice(NamedTuple):
    """The options that decide which others there are."""

    recipe: str = "dg_sct"
    size: str = "tiny"
    training: str = "careful_training"
    own: bool = False


class ShortHelp(DefaultHelpFormatter):
    """Help without the thousands of modules that torch knows and any component could be."""

    def _expand_help(self, action: argparse.Action) -> str:
        return re.sub(r", known subclasses: [^)]*", "", super()._expand_help(action))


def options(task: Task, choice: Choice) -> ArgumentParser:
    """The parser of a task's `fit` for one recipe, size, training and kind of data."""
    size = resolve(choice.size, task.names)
    parser = ArgumentParser(
        prog=f"crossmodal {task.name} fit",
        description=f"{task.about} Of your own videos: --data.folder VIDEOS --data.labels FILE.csv; with them, --help "
        "lists what else there is to say.",
        formatter_class=ShortHelp,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", action="config", help="YAML file of any of these options, as --print_config shows them")
    add("--name", type=str | None, default=None, help="name of the run (default: the time)")
    add("--runs", type=Path, default=Path("runs"), help="folder of runs")
    add("--resume", type=bool, default=False, help="go on with the run --name from its last checkpoint")
    minutes = "minutes between checkpoints within an epoch; 0 is before every step"
    add("--save_minutes", type=float, default=10.0, help=minutes)
    add("--seed", type=int, default=0, help="seed of weights, shuffling and dropout")
    known = "dg_sct, dg_sct_released, lavish, lite, or the path of your own function"
    add("--recipe", type=str, default=choice.recipe, help=known)
    add("--size", type=str, default=choice.size, help="tiny, full_size, any_pair, or the path of your own function")
    if "weights" in inspect.signature(size).parameters:
        released = "released weights: --weights.visual and --weights.audio, or one file of a whole model"
        add("--weights", type=EncoderWeights | str | None, default=None, help=released)
    trained = "careful_training, released_training, or the path of your own"
    add("--training", type=str, default=choice.training, help=trained)
    changed = "what is done to both encoders of the model, as in crossmodal.injection.freeze_parameters"
    add("--encoders", type=Callable[[Encoder], Any] | None, default=None, help=changed)
    run = "how the model is run, as by crossmodal.injection.recomputed (less memory) or .checkpointed (least)"
    add("--lockstep", type=Callable[[Lockstep], Any] | None, default=None, help=run)
    add_model(parser, resolve(choice.recipe), size)
    parser.add_class_arguments(task.own if choice.own else task.data, "data")
    parser.add_class_arguments(task.training, "optim", skip={"model"}, instantiate=False)
    parser.add_class_arguments(pl.Trainer, "trainer", skip={"logger"}, instantiate=False)
    parts = {"model": resolve(choice.recipe), "data": task.own if choice.own else task.data, "optim": task.training}
    for group, described in parts.items():
        describe(parser, group, described)
    parser.set_defaults(dict(task.schedules.get(choice.size, task.schedules["tiny"])))
    parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER.items()})
    set_training(parser, choice.training, task)
    return parser


def add_model(parser: ArgumentParser, recipe: Callable[..., Any], size: Callable[..., Any]) -> None:
    """The options `--model.…`: the recipe's keywords, then the size's own, such as its encoders by name.

    Where the size couples by a partial of a recipe, what it says of keywords are their defaults, save where this recipe
    says something else than that one does.
    """
    parser.add_function_arguments(recipe, "model", skip={*BACKBONES})
    own = own_keywords(size)
    if own:
        rest = {name for name in inspect.signature(size).parameters if name not in own}
        parser.add_function_arguments(getattr(size, "func", size), "model", as_group=False, skip=rest)
    coupled, said = inspect.signature(size).parameters.get("coupled"), inspect.signature(recipe).parameters
    usual = coupled.default if coupled else None
    for name, value in getattr(usual, "keywords", {}).items():
        if name in said and said[name].default is inspect.signature(usual.func).parameters[name].default:
            parser.set_defaults({f"model.{name}": value})


def set_training(parser: ArgumentParser, training: str, task: Task) -> None:
    """Puts what a training says in the place of defaults. `ValueError` where the task has no such option."""
    for name, value in resolve(training)().options().items():
        try:
            parser.set_defaults({name: value})
        except KeyError as error:
            raise ValueError(
                f"--training {training} sets {name}, which `crossmodal {task.name} fit` does not have: give another."
            ) from error


def parse(argv: Sequence[str], task: Task) -> tuple[ArgumentParser, Namespace]:
    """Parses the options of a task's `fit`: first those, from them or a YAML file, that decide on the others."""
    parser = options(task, chosen(argv))
    return parser, parser.parse_args(list(argv))


def chosen(argv: Sequence[str]) -> Choice:
    """What the options, or the YAML file that they name, say of those that decide on the others."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    for name in ("recipe", "size", "training", "data.folder", *(f"model.{name}" for name in BACKBONES)):
        first.add_argument(f"--{name}")
    given = vars(first.parse_known_args(argv)[0])
    stored = read_options(given["config"]) if given["config"] else {}

    def said(name: str) -> Any:
        return given[name] if given[name] is not None else nested(stored, name)

    usual = Choice()
    pair = any(said(f"model.{name}") is not None for name in BACKBONES)
    return Choice(
        recipe=said("recipe") or usual.recipe,
        size=said("size") or ("any_pair" if pair else usual.size),
        training=said("training") or usual.training,
        own=said("data.folder") is not None,
    )


def own_keywords(size: Callable[..., Any]) -> list[str]:
    """What a size takes by name beside the recipe, the classes and released weights."""
    settled, taken = getattr(size, "keywords", {}), inspect.signature(size).parameters.values()
    named = [parameter.name for parameter in taken if parameter.kind is not parameter.VAR_KEYWORD]
    return [name for name in named if name not in {*GIVEN, *settled}]


def nested(options: Mapping[str, Any], name: str) -> Any:
    """An option of a YAML file by its dotted name; `None` where it is not there."""
    for part in name.split("."):
        options = options.get(part) if isinstance(options, Mapping) else None
    return options


def read_options(file: Path) -> dict[str, Any]:
    """What a YAML file of options holds; `ValueError` where it is none."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {file} is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"--config {file} holds no options; --print_config shows what they look like.")
    return found
