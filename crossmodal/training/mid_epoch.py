"""Checkpoints between two steps of an epoch, for epochs that take hours."""

import time
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import pytorch_lightning as pl
import torch
from torch import Tensor

NAME = "between_steps"
"""Key of what a checkpoint within an epoch holds beside Lightning's own."""


@runtime_checkable
class GoesOn(Protocol):
    """Data whose epochs can begin behind some of their batches."""

    def go_on(self, epoch: int, batches: int) -> None:
        """Lets `epoch` begin behind its first `batches` batches."""


class MidEpochCheckpoint(pl.Callback):
    """Saves a run within an epoch, so that it goes on from there bit for bit; only for data that `GoesOn`.

    A checkpoint is due once `minutes` have passed since the last one, and is written before the next step whose
    gradients begin at zero, when everything of the step before has been done: validation and metrics, too. It keeps
    what Lightning does not: the random state of every process, and the place in the data.
    """

    def __init__(self, file: Path, minutes: float):
        """Sets the interval.

        Args:
            file: The checkpoint, replaced every time.
            minutes: Minutes between checkpoints; 0 saves before every step.
        """
        self.file, self.seconds = file, 60 * minutes
        self.saved, self.batches = 0.0, 0
        self.found: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuses to go on within an epoch that would not be the same."""
        self.saved = time.monotonic()
        if self.found:
            then, now = self.found["epochs"], epochs_of(trainer)
            rows = [f"{name}={then[name]} before, {now[name]} now" for name in now if now[name] != then.get(name)]
            if rows:
                raise ValueError(
                    f"{self.file} was written in the middle of an epoch, which cannot go on with other batches: "
                    f"{'; '.join(rows)}. Give the options of before."
                )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restarts the clock: the end of the epoch before was saved."""
        self.saved = time.monotonic()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Restores the random state of a resumed run; saves a checkpoint that is due."""
        if self.found:
            restore_random_states(self.found["random"], trainer)
            self.found = None
        elif index and index % trainer.accumulate_grad_batches == 0 and self.due(trainer):
            self.batches = index
            trainer.save_checkpoint(self.file, weights_only=False)  # with optimizer and loops: to go on, not to test
            self.saved, self.batches = time.monotonic(), 0

    def due(self, trainer: pl.Trainer) -> bool:
        """Returns whether to save now: the first process decides for all."""
        due = isinstance(_data(trainer), GoesOn) and time.monotonic() - self.saved >= self.seconds
        return bool(trainer.strategy.broadcast(due))

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds what a run needs to go on within the epoch."""
        if not self.batches:
            return
        # Lightning has counted the step that is about to begin; it knows how to go on behind the end of a batch
        loop = checkpoint["loops"]["fit_loop"]
        progress = loop["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            done = counts["processed"]
            counts.update(ready=done, started=done, completed=done - 1)
        progress["is_last_batch"] = False
        loop["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1
        checkpoint[NAME] = {
            "batches": self.batches,
            "epochs": epochs_of(trainer),
            "random": random_states(pl_module, trainer.world_size),
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Finds the place in the data before a worker reads ahead."""
        self.found = checkpoint.get(NAME)
        data = _data(trainer)
        if isinstance(data, GoesOn):
            epoch = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
            data.go_on(epoch, self.found["batches"] if self.found else 0)


def _data(trainer: pl.Trainer) -> Any:
    """Returns the data module; Lightning sets the attribute when a training begins."""
    return getattr(trainer, "datamodule", None)


def epochs_of(trainer: pl.Trainer) -> dict[str, int]:
    """Returns what the batches of an epoch follow from."""
    loader: Any = trainer.train_dataloader
    return {
        "clips": len(loader.dataset),
        "batch_size": loader.batch_size,
        "seed of the order": getattr(loader.sampler, "seed", 0),
        "processes": trainer.world_size,
        "accumulate_grad_batches": trainer.accumulate_grad_batches,
    }


def random_states(module: pl.LightningModule, processes: int) -> dict[str, Tensor]:
    """Returns the state of torch's generators, a row per process."""
    states = {"cpu": torch.get_rng_state()}
    if module.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(module.device)
    # for a single process Lightning adds no dimension
    return {name: cast(Tensor, module.all_gather(state)).reshape(processes, -1).cpu() for name, state in states.items()}


def restore_random_states(states: dict[str, Tensor], trainer: pl.Trainer) -> None:
    """Sets torch's generators to where they were."""
    # cloned: torch reads the storage behind a tensor, and that of a row is the storage of all processes
    torch.set_rng_state(states["cpu"][trainer.global_rank].clone())
    if "cuda" in states and trainer.strategy.root_device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"][trainer.global_rank].clone(), trainer.strategy.root_device)
