"""Progress of a training where no terminal shows a bar: one line for every epoch, in logs and notebooks."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ProgressBar

BAR = "enable_progress_bar"


class EpochLines(Callback):
    """Prints epoch, steps, time and what the bar would show, after every epoch."""

    def __init__(self) -> None:
        """Starts the clock."""
        super().__init__()
        self.started = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock anew: what comes before the first step is no training."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prints the line; the validation of the epoch is behind it."""
        if not trainer.is_global_zero:
            return
        last = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        seconds = time.monotonic() - self.started
        values = [f"{name} {float(value):.4g}" for name, value in trainer.progress_bar_metrics.items()]
        where = f"epoch {trainer.current_epoch + 1}{last}, step {trainer.global_step}, {seconds:.0f} s"
        print(f"{where:<26} {', '.join(values)}", flush=True)


def with_lines(options: Mapping[str, Any], callbacks: Sequence[Callback]) -> tuple[dict[str, Any], list[Callback]]:
    """Puts a line an epoch in the place of Lightning's bar where standard output is no terminal.

    Args:
        options: Options of the trainer; a bar that is asked for or switched off stays so.
        callbacks: Of the trainer; a bar among them stays, too.

    Returns:
        Options and callbacks.
    """
    chosen = options.get(BAR) is not None or any(isinstance(callback, ProgressBar) for callback in callbacks)
    if chosen or sys.stdout.isatty():
        return dict(options), list(callbacks)
    return {**options, BAR: False}, [*callbacks, EpochLines()]
