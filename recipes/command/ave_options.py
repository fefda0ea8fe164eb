"""The options of `crossmodal ave fit`: those of the model are the keywords of the recipe itself."""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from crossmodal.injection import Encoder

from ..encoder_weights import EncoderWeights
from ..event_data import EventData
from ..event_training import EventTraining
from .named import resolve

SCHEDULES = {
    "tiny": {"trainer.max_epochs": 4, "optim.lr": 2e-3, "optim.decay": 0.5, "optim.every": 1},
    "full_size": {"trainer.max_epochs": 50, "optim.lr": 5e-4, "optim.decay": 0.35, "optim.every": 3},
}
"""How a size is trained where nothing else is said: minutes on a laptop, or the released schedule of AVE."""

TRAINER = {"num_sanity_val_steps": 0, "enable_model_summary": False, "log_every_n_steps": 5}


class ShortHelp(DefaultHelpFormatter):
    """Help without the thousands of modules that torch knows and any component could be."""

    def _expand_help(self, action: argparse.Action) -> str:
        return re.sub(r", known subclasses: [^)]*", "", super()._expand_help(action))


def options(recipe: str, size: str = "tiny", training: str = "careful_training") -> ArgumentParser:
    """The parser of `fit` for one recipe, size and training."""
    about = "Trains a model of audio-visual events; tests it."
    parser = ArgumentParser(prog="crossmodal ave fit", description=about, formatter_class=ShortHelp, allow_abbrev=False)
    add = parser.add_argument
    add("--config", action="config", help="YAML file of any of these options, as --print_config shows them")
    add("--name", type=str | None, default=None, help="name of the run (default: the time)")
    add("--runs", type=Path, default=Path("runs"), help="folder of runs")
    add("--resume", type=bool, default=False, help="go on with the run --name from its last checkpoint")
    minutes = "minutes between checkpoints within an epoch; 0 is before every step"
    add("--save_minutes", type=float, default=10.0, help=minutes)
    add("--seed", type=int, default=0, help="seed of weights, shuffling and dropout")
    add("--recipe", type=str, default=recipe, help="dg_sct, dg_sct_released, lavish, or the path of your own function")
    add("--size", type=str, default=size, help="tiny, full_size, or the path of your own function like them")
    if "weights" in inspect.signature(resolve(size)).parameters:
        released = "released weights: --weights.visual and --weights.audio, or one file of a whole model"
        add("--weights", type=EncoderWeights | str | None, default=None, help=released)
    add("--training", type=str, default=training, help="careful_training, released_training, or the path of your own")
    changed = "what is done to both encoders of the model, as in crossmodal.injection.freeze_parameters"
    add("--encoders", type=Callable[[Encoder], Any] | None, default=None, help=changed)
    parser.add_function_arguments(resolve(recipe), "model", skip={"visual", "audio"})
    parser.add_class_arguments(EventData, "data")
    parser.add_class_arguments(EventTraining, "optim", skip={"model"}, instantiate=False)
    parser.add_class_arguments(pl.Trainer, "trainer", skip={"logger"}, instantiate=False)
    parser.set_defaults(SCHEDULES.get(size, SCHEDULES["tiny"]))
    parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER.items()})
    parser.set_defaults(resolve(training)().options())
    return parser


def parse(argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """Parses the options of `fit`: first those, from them or a YAML file, that decide on the others."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    chosen = {"recipe": "dg_sct", "size": "tiny", "training": "careful_training"}
    for name in chosen:
        first.add_argument(f"--{name}")
    early, _ = first.parse_known_args(argv)
    stored = read_options(early.config) if early.config else {}
    parser = options(*(getattr(early, name) or stored.get(name, usual) for name, usual in chosen.items()))
    return parser, parser.parse_args(list(argv))


def read_options(file: Path) -> dict[str, Any]:
    """What a YAML file of options holds; `ValueError` where it is none."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {file} is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"--config {file} holds no options; --print_config shows what they look like.")
    return found
