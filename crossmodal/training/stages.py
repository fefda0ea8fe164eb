"""Trainings before the last one in a run folder: each in `stages/NAME/`, with its checkpoints, and done once."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from jsonargparse import ArgumentParser, Namespace

from crossmodal.checkpoints import load_adapters, save_adapters, with_dtype_of
from crossmodal.data.source import Source
from crossmodal.tasks.stages import TrainingStage, frozen_for_stage
from crossmodal.tasks.task import SystemModule, Task

from .checkpoint_io import last_checkpoint
from .data_module import DataModule
from .finite import check_weights
from .fit import train
from .lightning_module import SystemTraining
from .ranks import is_first
from .run_folder import ADAPTERS, new_run

FOLDER = "stages"
OF_THE_LAST = {"max_steps": -1, "max_time": None, "min_epochs": None, "min_steps": None}
"""Bounds of the trainer that are of the last training, as `--trainer.max_epochs` is, and what stands for none."""
Prepare = Callable[[Source, SystemModule], Source]
"""Makes the items of a source ready for a system."""


def add_stage(parser: ArgumentParser, stage: TrainingStage, *, tiny: bool) -> None:
    """Adds the options of a stage, `--stages.NAME.…`: those of its optimizer, its epochs and its batch.

    Args:
        parser: Of `fit`.
        stage: The stage.
        tiny: Whether the encoders are the tiny ones.
    """
    place = f"{FOLDER}.{stage.name}"
    parser.add_class_arguments(SystemTraining, f"{place}.optim", skip={"system", "task"}, instantiate=False)
    parser.add_argument(
        f"--{place}.max_epochs",
        type=int,
        help=f"epochs of the stage {stage.name}, which no bound of the trainer cuts; 0 leaves it out",
    )
    parser.add_argument(f"--{place}.batch_size", type=int, help=f"items of a step of the stage {stage.name}")
    parser.set_defaults({f"{place}.{name}": value for name, value in stage.options(tiny).items()})


def train_stages(
    run: Path, stages: Sequence[TrainingStage], system: SystemModule, arguments: Namespace, prepare: Prepare
) -> None:
    """Trains what comes before the last training, in order, and leaves the system with the weights that validated best.

    A stage that is done is read from its file, one that was interrupted goes on from its checkpoint.

    Args:
        run: Folder of the run.
        stages: The stages.
        system: System whose parts are trained.
        arguments: Instantiated options of `fit`.
        prepare: Makes a source ready for a part.
    """
    for stage in stages:
        given = arguments[FOLDER][stage.name]
        if given.max_epochs:
            part = stage.part(system)
            with frozen_for_stage(part):
                _train_stage(run / FOLDER / stage.name, stage, part, given, arguments, prepare)


def _train_stage(
    place: Path, stage: TrainingStage, part: SystemModule, given: Namespace, arguments: Namespace, prepare: Prepare
) -> None:
    """Trains the part of one stage in its folder."""
    if (place / ADAPTERS).is_file():
        load_adapters(with_dtype_of(part, place / ADAPTERS), place / ADAPTERS, stage=stage.name)
        return
    if is_first():
        print(f"stage              {stage.name}: {given.max_epochs} epochs, in {place}/", flush=True)
    new_run(place)
    source = copy.copy(stage.source(arguments.data))
    source.batch_size = given.batch_size
    data = prepare(source, part)
    training = SystemTraining(part, cast(Task, stage.task), **vars(given.optim))
    # copies: what a callback counts, as one that stops early does, is of one training
    own = copy.deepcopy(arguments.trainer.callbacks)
    bounds = {**OF_THE_LAST, "max_epochs": given.max_epochs}
    options: dict[str, Any] = {**vars(arguments.trainer), **bounds, "callbacks": own}
    train(
        place,
        training,
        DataModule(data),
        last_checkpoint(place, training) if arguments.resume else None,
        monitor=f"val_{stage.task.monitor}",
        seed=arguments.seed,
        options=options,
        save_minutes=arguments.save_minutes,
    )
    check_weights(part, f"stage {stage.name} of {place}")
    if is_first():
        save_adapters(part, place / ADAPTERS, stage=stage.name)
