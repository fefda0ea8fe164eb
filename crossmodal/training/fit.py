"""Training by Lightning in a run folder: best and last checkpoint, resuming, without its idle hints."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import Logger

from crossmodal.data.waiting_time import WaitingTime
from crossmodal.training.checkpoint_io import BEST, CHECKPOINTS, LAST, Checkpoints, Last, WholeFiles
from crossmodal.training.csv_logger import MetricsFile
from crossmodal.training.epoch_lines import with_lines
from crossmodal.training.lightning_module import SystemTraining
from crossmodal.training.mid_epoch import MidEpochCheckpoint
from crossmodal.training.own_draws import OwnDraws
from crossmodal.training.samplers import Reseeded
from crossmodal.training.waiting_for_clips import WaitingForClips


class Trained(NamedTuple):
    """What a finished training leaves.

    Attributes:
        trainer: Its trainer.
        selected: Whether a validation selected the weights.
        waiting: How long its steps waited for clips.
    """

    trainer: pl.Trainer
    selected: bool
    waiting: WaitingTime


def train(
    run: Path,
    training: SystemTraining,
    data: pl.LightningDataModule,
    last: Last | None,
    *,
    monitor: str,
    seed: int,
    options: Mapping[str, Any],
    save_minutes: float = 10.0,
) -> Trained:
    """Trains a Lightning module, which then holds the weights that validated best, or the last where none did.

    Args:
        run: Folder of the run.
        training: What is trained.
        data: What it is trained on.
        last: Checkpoint to go on from.
        monitor: Logged value that selects weights; higher is better.
        seed: Seed of every epoch.
        options: Options of the trainer; its loggers are used beside `metrics.csv`.
        save_minutes: Minutes between checkpoints within an epoch; one is written at its end in any case.
    """
    if not any(parameter.requires_grad for parameter in training.parameters()):
        options = {**options, "max_epochs": 0}  # a system that is tested as it is
    folder = run / CHECKPOINTS
    # without the counter: a run that resumes replaces its file instead of adding best-v1.ckpt
    best = Checkpoints(folder, Path(BEST).stem, monitor=monitor, mode="max", enable_version_counter=False)
    # not save_last=True, which skips epochs that are not the best so far
    newest = Checkpoints(folder, Path(LAST).stem, enable_version_counter=False)
    own = options.get("callbacks") or ()
    for callback in own:
        # a training that is cut short within an epoch ends without a validation
        if isinstance(callback, EarlyStopping) and callback.monitor == monitor:
            callback.strict = False
    waiting = WaitingForClips()
    callbacks = [
        Reseeded(seed),
        OwnDraws(),
        *own,
        MidEpochCheckpoint(folder / LAST, save_minutes),
        waiting,
        best,
        newest,
    ]
    with quietly(), in_one_sentence():
        metrics = MetricsFile(run / "metrics.csv", steps=last.step if last else 0)
        trainer = trainer_of(
            options,
            WholeFiles(),
            logger=[metrics, *loggers_of(options, run)],
            callbacks=callbacks,
        )
        if last:
            # Lightning reads a checkpoint before it converts the module, which would round weights of float64
            trainer.precision_plugin.convert_module(training)
        trainer.fit(training, data, ckpt_path=last.file if last else None, weights_only=True)
    if file := best.best_model_path or newest.best_model_path:
        kept = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        training.load_state_dict({**training.state_dict(), **kept})  # the file leaves out what is frozen
    return Trained(trainer, bool(best.best_model_path), waiting.time)


def loggers_of(options: Mapping[str, Any], run: Path) -> list[Logger]:
    """Returns the loggers that the options ask for; `True` is TensorBoard in the folder of the run."""
    given = options.get("logger")
    if given is True:
        from pytorch_lightning.loggers import TensorBoardLogger

        return [TensorBoardLogger(run, name="", version="tensorboard")]
    return [given] if isinstance(given, Logger) else list(given or [])


def trainer_of(options: Mapping[str, Any], *plugins: Any, **parts: Any) -> pl.Trainer:
    """Builds a trainer; the data module shares data among processes, not Lightning."""
    given = options.get("plugins") or []
    every = [*(given if isinstance(given, list) else [given]), *plugins]
    shown, callbacks = with_lines(options, parts.pop("callbacks", None) or ())
    with in_one_sentence():
        return pl.Trainer(
            **{**shown, "use_distributed_sampler": False, "plugins": every, "callbacks": callbacks, **parts}
        )


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Turns what Lightning finds wrong with its options and callbacks into a `ValueError`."""
    try:
        yield
    except MisconfigurationException as error:
        said = " ".join(str(error).split())
        raise ValueError(f"--trainer options that do not go together, or not here: {said}") from error
    except RuntimeError as error:
        if "conditioned on metric" not in str(error):
            raise
        raise ValueError(f"--trainer.callbacks: {error}") from error


@contextmanager
def quietly() -> Iterator[None]:
    """Silences Lightning's hints on hardware, workers and frozen modules, which are meant as they are here."""
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    level = logger.level
    with warnings.catch_warnings():
        for hint in (
            ".*does not have many workers.*",
            ".*smaller than the logging interval.*",
            ".*exists and is not empty.*",
            ".*in eval mode at the start.*",
            ".*your dataloader is not resumable.*",  # its sampler is
            ".*all_gather is deprecated.*",
            ".*could not find the monitored key.*",  # the end of a run says on what its weights were selected
            ".*[Tt]reespec.*",
            ".*LeafSpec.*",
        ):
            warnings.filterwarnings("ignore", message=hint)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
