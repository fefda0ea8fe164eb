"""Deviations of the released training from a careful one: each a part of its own, and all put into words."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer

from crossmodal.audio import SpectrogramMixup
from crossmodal.data.source import Source

from .lightning_module import SystemTraining


class DropAccumulatedGradients(pl.Callback):
    """Drops the gradients of all but the last of every `every` batches.

    So does a loop that means to accumulate gradients and steps at every `every`-th batch, but clears them at each.
    Batches are counted anew in every epoch; those left over at its end are lost, too. For the trainer each is a step.
    """

    def __init__(self, every: int = 2):
        """Sets the interval.

        Args:
            every: Batches per step.

        Raises:
            ValueError: If `every` is not positive.
        """
        if every < 1:
            raise ValueError(f"DropAccumulatedGradients: every={every} must be at least 1.")
        self.every, self.batch = every, 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuses a trainer that accumulates gradients itself."""
        if trainer.accumulate_grad_batches != 1:
            raise ValueError(
                f"DropAccumulatedGradients: every={self.every} drops what accumulate_grad_batches="
                f"{trainer.accumulate_grad_batches} adds up: leave one of them at 1."
            )

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Notes the number of the batch."""
        self.batch = index

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Clears the gradients; an optimizer leaves parameters without a gradient alone."""
        if (self.batch + 1) % self.every:
            optimizer.zero_grad(set_to_none=True)


PARTS = {
    "val": "The weights are selected on a part of the validation split",
    "test": "The scores are of a part of the test split",
}
"""Of each limit on batches: what is run of it."""


def deviations(
    training: SystemTraining,
    source: Source,
    callbacks: Sequence[pl.Callback] = (),
    *,
    trainer: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Returns what a training does that a careful one does not: a sentence each, with its consequence.

    It is read off the parts themselves, however they were asked for.

    Args:
        training: What is trained.
        source: What it is trained on.
        callbacks: Of the trainer.
        trainer: Options of the trainer.
    """
    return (*_deviations(training, source, callbacks), *_untold(training, trainer))


def _untold(training: SystemTraining, trainer: Mapping[str, Any]) -> Iterator[str]:
    """Yields sentences on trainings that end with a score which says less than it seems to."""
    if batches := trainer.get("fast_dev_run"):
        yield (
            f"Of training, validation and test only {int(batches)} {'batch is' if batches == 1 else 'batches are'} run "
            "(--trainer.fast_dev_run): the last weights are tested, not the best, on a part of the test split."
        )
    if trainer.get("limit_val_batches") in (0, 0.0):
        yield "No validation is run (--trainer.limit_val_batches 0): the last weights are tested, not the best."
    for stage, said in PARTS.items():
        if _is_part(limit := trainer.get(f"limit_{stage}_batches")):
            yield f"{said} (--trainer.limit_{stage}_batches {limit})."
    if trainer.get("limit_test_batches") in (0, 0.0):
        yield "Nothing is tested (--trainer.limit_test_batches 0): there is no score."
    if overfit := trainer.get("overfit_batches"):
        yield (
            f"The same few batches are trained on and validated on (--trainer.overfit_batches {overfit}): the best "
            "weights are those that know them best."
        )
    if trainer.get("max_epochs") == 0 or trainer.get("max_steps") == 0:
        yield "No step is trained (--trainer.max_epochs or max_steps is 0): the initial weights are tested."
    if len(training.system.classes) == 1:
        yield (
            f"The labels name one class alone, {training.system.classes[0]!r}: it is the right one wherever there is "
            "any, so the score says nothing of telling classes apart."
        )


def _is_part(limit: int | float | None) -> bool:
    """Returns whether a limit leaves out a part, as far as it says so itself: 1.0 is all, 1 is one batch."""
    return limit is not None and limit != 0 and (isinstance(limit, int) or limit < 1)


def _deviations(training: SystemTraining, source: Source, callbacks: Sequence[pl.Callback]) -> Iterator[str]:
    coupled = getattr(training.system, "coupled", None)
    encoders = [] if coupled is None else coupled.encoders.values()
    if any(module.training for encoder in encoders if _is_frozen(encoder) for module in encoder.modules()):
        yield (
            "The frozen encoders are left in training mode: drop-path and SpecAugment disturb what they say, and "
            "the statistics of their BatchNorm drift away from those that they were trained with."
        )
    if any(isinstance(module, SpectrogramMixup) for module in training.system.modules()):
        yield (
            "Every spectrogram of a batch is mixed with another one, and the targets are not: a mixture has the target "
            "of one of its two sounds."
        )
    for dropping in (each for each in callbacks if isinstance(each, DropAccumulatedGradients) and each.every > 1):
        yield (
            f"Of every {dropping.every} batches only the last is learned from: gradients are cleared at each, and used "
            "once."
        )
    if source.validation == "test":
        yield (
            "The weights are selected on the test split: the test scores are the best of all epochs on these very "
            "clips, and too good for any others."
        )
    logits_losses = (F.binary_cross_entropy_with_logits, torch.binary_cross_entropy_with_logits)
    if getattr(training.system, "gate_loss", None) in logits_losses:
        yield (
            # the best scores, 1 and 0, after another sigmoid: log(1 + 1/e) and log 2
            "The gate, a sigmoid already, is given to a loss that takes another: the best gate there is still costs "
            "0.31 a segment with an event and 0.69 without, and one that is wholly wrong is hardly moved."
        )


def _is_frozen(encoder: nn.Module) -> bool:
    return not any(parameter.requires_grad for parameter in encoder.parameters())
