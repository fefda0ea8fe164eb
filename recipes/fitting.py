"""Training by Lightning in a run folder: the best and the last checkpoint, going on, and no idle hints."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from crossmodal.checkpoints import adapter_state
from crossmodal.checkpoints.adapters import differences

from .epochs import Reseeded
from .metrics_file import MetricsFile

CHECKPOINTS = "checkpoints"


def last_checkpoint(run: Path, task: pl.LightningModule) -> Path | None:
    """Where a run goes on; `None`, from the start, where no epoch was finished. `ValueError` for another model."""
    last = run / CHECKPOINTS / "last.ckpt"
    if not last.is_file():
        return None
    try:
        stored = torch.load(last, map_location="cpu", weights_only=True)["state_dict"]
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"run {run} cannot be resumed: {last} is damaged ({error}); start it anew.") from error
    rows = differences({f"model.{name}": tensor for name, tensor in adapter_state(task.model).items()}, stored)
    if rows:
        raise ValueError("\n".join([f"run {run} cannot be resumed with another model:", *rows[:20]]))
    return last


class Checkpoints(ModelCheckpoint):
    """Checkpoints in a folder that may have been moved since the run was interrupted."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what was kept, by the names of the files."""

        def here(file: str) -> str:
            return str(Path(self.dirpath or ".") / Path(file).name) if file else file

        names = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        kept = {here(file): score for file, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **names, "best_k_models": kept, "dirpath": self.dirpath})


def train(
    run: Path,
    task: pl.LightningModule,
    data: pl.LightningDataModule,
    last: Path | None,
    *,
    seed: int,
    options: Mapping[str, Any],
) -> pl.Trainer:
    """Trains `task`, which then holds the weights that validated best.

    - `run`: folder of the run. `last`: the checkpoint to go on from.
    - `seed`: of every epoch. `options`: of the trainer.
    """
    best = Checkpoints(run / CHECKPOINTS, "best", monitor="val_accuracy", mode="max", enable_version_counter=False)
    # not save_last=True, which skips epochs that are not the best so far
    newest = Checkpoints(run / CHECKPOINTS, "last", enable_version_counter=False)
    with quietly():
        callbacks = [Reseeded(seed), best, newest]
        trainer = pl.Trainer(**options, logger=MetricsFile(run / "metrics.csv"), callbacks=callbacks)
        try:
            trainer.fit(task, data, ckpt_path=last, weights_only=True)
        except SystemExit:  # how Lightning leaves when it is interrupted
            again = f"fit --runs {run.parent} --name {run.name} --resume true"
            raise KeyboardInterrupt(f"interrupted; go on with: {again}") from None
    if file := best.best_model_path or newest.best_model_path:
        kept = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        task.load_state_dict({**task.state_dict(), **kept})
    return trainer


@contextmanager
def quietly() -> Iterator[None]:
    """Without Lightning's hints on hardware, workers and frozen modules, which are meant as they are here."""
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    level = logger.level
    with warnings.catch_warnings():
        for hint in (
            ".*does not have many workers.*",
            ".*smaller than the logging interval.*",
            ".*exists and is not empty.*",
            ".*in eval mode at the start.*",
            ".*[Tt]reespec.*",
            ".*LeafSpec.*",
        ):
            warnings.filterwarnings("ignore", message=hint)
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
