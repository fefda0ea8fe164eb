"""Habits that a careful training does not have: each a part of its own, and all of them put into words."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer

from crossmodal.training.data_module import ClipData
from crossmodal.training.lightning_module import ClipTraining


class DropsGradients(pl.Callback):
    """Of every `every` batches only the last one's gradient reaches the optimizer; the others teach nothing.

    So does a loop that means to accumulate gradients and steps at every `every`-th batch, but clears them at each.
    Batches are counted anew in every epoch; those left over at its end are lost, too. For the trainer each is a step.

    Raises `ValueError` where `every` is not positive, or the trainer accumulates gradients itself.
    """

    def __init__(self, every: int = 2):
        """`every`: how many batches go for one step."""
        if every < 1:
            raise ValueError(f"DropsGradients: every={every} must be at least 1.")
        self.every, self.batch = every, 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        if trainer.accumulate_grad_batches != 1:
            raise ValueError(
                f"DropsGradients: every={self.every} drops what accumulate_grad_batches="
                f"{trainer.accumulate_grad_batches} adds up: leave one of them at 1."
            )

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Called by Lightning."""
        self.batch = index

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Called by Lightning; an optimizer leaves parameters alone that have no gradient."""
        if (self.batch + 1) % self.every:
            optimizer.zero_grad(set_to_none=True)


def careless_habits(task: ClipTraining, data: ClipData, callbacks: Sequence[pl.Callback] = ()) -> tuple[str, ...]:
    """What a training does that a careful one does not: a sentence each, with its consequence; none by default.

    It is read off the parts themselves, whichever way they came.
    """
    return tuple(_habits(task, data, callbacks))


def _habits(task: ClipTraining, data: ClipData, callbacks: Sequence[pl.Callback]) -> Iterator[str]:
    encoders = task.model.coupled.encoders.values()
    if any(module.training for encoder in encoders if _frozen(encoder) for module in encoder.modules()):
        yield (
            "The frozen encoders are left in training mode: drop-path and SpecAugment disturb what they say, and "
            "the statistics of their BatchNorm drift away from those that they were trained with."
        )
    for dropping in (each for each in callbacks if isinstance(each, DropsGradients) and each.every > 1):
        yield (
            f"Of every {dropping.every} batches only the last is learned from: gradients are cleared at each, and used "
            "once."
        )
    if data.validation == "test":
        yield (
            "The weights are selected on the test split: the test accuracy is the best of all epochs on these very "
            "clips, and too good for any others."
        )
    if getattr(task, "gate_loss", None) in (F.binary_cross_entropy_with_logits, torch.binary_cross_entropy_with_logits):
        yield (
            "The gate, a sigmoid already, is given to a loss that takes another: the best gate there is still costs "
            "0.31 a segment with an event and 0.69 without, and one that is wholly wrong is hardly moved."
        )


def _frozen(encoder: nn.Module) -> bool:
    return not any(parameter.requires_grad for parameter in encoder.parameters())
