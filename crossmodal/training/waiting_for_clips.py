"""Share of a training that the model waits for clips."""

from typing import Any

import pytorch_lightning as pl

from crossmodal.data.waiting_time import WaitingTime

WAITING = "waiting"
"""Of a summary: share of the time of training steps that was spent waiting for the next batch."""
MUCH = 0.2
"""Share from which on reading ahead in other processes is worth a hint."""


class WaitingForClips(pl.Callback):
    """Measures how long steps wait for their batches; validations are left out."""

    def __init__(self) -> None:
        """Starts with nothing measured."""
        self.time = WaitingTime()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins to wait for the first batch; called by Lightning."""
        self.time.pause()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends the wait for this batch; called by Lightning."""
        self.time.work()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Begins to wait for the next batch; called by Lightning."""
        self.time.wait()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leaves a validation within an epoch out; called by Lightning."""
        self.time.pause()


def waiting_line(waiting: WaitingTime) -> str:
    """Returns the line that `fit` prints, with what shortens a long wait."""
    return waiting.line("clips") + ("; --data.workers reads ahead" if waiting.share > MUCH else "")
