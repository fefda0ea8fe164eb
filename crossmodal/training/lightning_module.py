"""Lightning module of any system on any task: a step, a validation and a test."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

from crossmodal.checkpoints import adapter_state
from crossmodal.data.vocabulary import as_text
from crossmodal.tasks.task import SystemModule, Task

from .finite import check_epsilon, check_losses, check_outputs, checked_prediction
from .predictions import CollectedRows, Tested
from .ranks import gather_objects

LABELS = "labels"
"""Entry of a checkpoint: the labels of the system, as `crossmodal.data.vocabulary.as_text` writes them."""


class MeanLosses:
    """Mean of named loss terms over the clips of all batches and processes.

    Lightning's own mean is wrong where processes see unequal batches, and a torchmetrics `Metric` waits for ever where
    one process never sees a term that another has. Terms that are absent from a batch count as zero there, as in the
    sum that is trained.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self.sums: dict[str, Tensor] = {}
        self.clips = 0

    def update(self, terms: Mapping[str, Tensor], clips: int) -> None:
        """Adds the mean losses of one batch of `clips` clips."""
        for name, value in terms.items():
            added = value.detach().float() * clips  # in half precision a long sum stops growing
            self.sums[name] = self.sums[name] + added if name in self.sums else added
        self.clips += clips

    def compute(self) -> dict[str, float]:
        """Returns term → mean loss of a clip, over all processes."""
        parts = gather_objects(({name: float(value) for name, value in self.sums.items()}, self.clips))
        clips = sum(seen for _, seen in parts)
        names = dict.fromkeys(name for sums, _ in parts for name in sums)
        return {name: sum(sums.get(name, 0.0) for sums, _ in parts) / clips for name in names}

    def reset(self) -> None:
        """Forgets all batches."""
        self.sums, self.clips = {}, 0


class SystemTraining(pl.LightningModule):
    """Trains everything that is not frozen; selects weights by the task's monitor on validation."""

    def __init__(
        self,
        system: SystemModule,
        task: Task,
        *,
        lr: float = 5e-4,
        decay: float = 0.35,
        every: int = 3,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
    ):
        """Wraps a system.

        Args:
            system: System as `crossmodal.tasks.task.System`; its frozen parts are left out of checkpoints.
            task: Says what is scored.
            lr: Learning rate of Adam.
            decay: Factor of the learning rate.
            every: Epochs after which the learning rate is multiplied by `decay`.
            optimizer: Builds another optimizer from the trained parameters; `lr` then is its own affair.
            schedule: `(optimizer, steps of the whole training) -> scheduler`, stepped after every step, in place of
                `decay`; `crossmodal.training.schedules.one_cycle` is one.
        """
        super().__init__()
        self.system, self.task = system, task
        self.lr, self.decay, self.every = lr, decay, every
        self.optimizer, self.schedule = optimizer, schedule
        self.scores: Any = task.scores()
        self.losses = MeanLosses()
        self.batches: list[list[int]] = []
        self.collected = CollectedRows()
        self.tested: Tested | None = None

    def forward_batch(self, batch: Any) -> Any:
        """Returns the system's outputs for a batch."""
        return self.system(batch)

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Returns the sum of the loss terms of one batch, and logs each; stops where one is not a number."""
        where = f"step {self.global_step} of the training (epoch {self.current_epoch}, batch {index})"
        outputs = self.forward_batch(batch)
        check_outputs(outputs, batch, where)
        terms = self.system.loss(outputs, batch)
        check_losses(terms, batch, where, infinite=self._scales_losses())
        loss = total(terms)
        self.log("train_loss", loss, prog_bar=True)
        if len(terms) > 1:
            self.log_dict({f"train_{name}": term for name, term in terms.items()})
        return loss

    def on_train_epoch_start(self) -> None:
        """Tells the epoch, counted from 0, to a system whose loss changes over epochs: one with `begin_epoch`."""
        begin = getattr(self.system, "begin_epoch", None)
        if begin is not None:
            begin(self.current_epoch)

    def validation_step(self, batch: Any, index: int) -> None:
        """Adds losses and scores of held-out clips."""
        self.scores.update(self._evaluate(batch, f"batch {index} of the validation"), batch)

    def on_validation_epoch_end(self) -> None:
        """Logs losses and scores over all held-out clips and processes."""
        self._log("val", self.scores.compute(), bar=self.task.monitor)
        self.scores.reset()

    def on_test_epoch_start(self) -> None:
        """Notes which items of the split this process will see; a test is not shuffled."""
        self.batches = list(cast(Any, self.trainer.test_dataloaders).batch_sampler)

    def test_step(self, batch: Any, index: int) -> None:
        """Adds losses, scores and rows of test clips."""
        prediction = self._evaluate(batch, f"batch {index} of the test")
        self.scores.update(prediction, batch)
        rows = self.task.rows(prediction, batch, self.system.classes)
        self.collected.add((self.batches[index][row.item], row) for row in rows)

    def on_test_epoch_end(self) -> None:
        """Keeps the rows of all processes and all scores as `tested`."""
        rows = self.collected.gathered()
        scores = {name: float(value) for name, value in self.scores.compute().items()}
        self.tested = Tested(rows, scores, self.task.chance([row for _, row in rows]))
        self._log("test", scores)
        self.scores.reset()
        self.collected.reset()

    def configure_optimizers(self) -> Any:
        """Returns the optimizer of what is trained, and its schedule; nothing where nothing is trained."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        if not trained:  # a system that is tested as it is
            return []
        optimizer = torch.optim.Adam(trained, lr=self.lr) if self.optimizer is None else self.optimizer(trained)
        check_epsilon(optimizer)
        if self.schedule is None:
            return [optimizer], [StepLR(optimizer, self.every, self.decay)]
        steps = int(self.trainer.estimated_stepping_batches)
        return [optimizer], [{"scheduler": self.schedule(optimizer, steps), "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves what is frozen out of the file, and notes the labels that its weights stand for."""
        checkpoint[LABELS] = as_text(getattr(self.system, "classes", ()))
        kept = {f"system.{name}" for name in adapter_state(self.system)}
        checkpoint["state_dict"] = {name: t for name, t in checkpoint["state_dict"].items() if name in kept}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Fills what the file leaves out from this system."""
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}

    def _scales_losses(self) -> bool:
        """Returns whether losses are scaled (16-mixed): a step with an infinite one is then left out by the scaler."""
        trainer = self._trainer  # `self.trainer` raises where there is none
        return trainer is not None and getattr(trainer.precision_plugin, "scaler", None) is not None

    def _evaluate(self, batch: Any, where: str) -> Any:
        """Returns the prediction of a held-out batch, and adds its losses; `where` names it in an error."""
        outputs = self.forward_batch(batch)
        check_outputs(outputs, batch, where)  # before a loss is made of them
        terms = self.system.loss(outputs, batch)
        check_losses(terms, batch, where, infinite=True)
        self.losses.update({"loss": total(terms), **(terms if len(terms) > 1 else {})}, _batch_size(batch))
        return checked_prediction(self.system, outputs, batch, where)

    def _log(self, split: str, scores: Mapping[str, Any], bar: str = "") -> None:
        """Logs the losses and scores of a split; they are summed over processes already."""
        for name, value in {**self.losses.compute(), **scores}.items():
            self.log(f"{split}_{name}", torch.as_tensor(value, dtype=torch.float32), prog_bar=name == bar)
        self.losses.reset()


def total(terms: Mapping[str, Tensor]) -> Tensor:
    """Returns the sum of loss terms."""
    return torch.stack([term if term.ndim == 0 else term.mean() for term in terms.values()]).sum()


def _batch_size(batch: Any) -> int:
    """Returns the number of items of a batch: the length of its first tensor."""
    first = batch
    while not isinstance(first, Tensor):
        first = next(iter(first.values() if isinstance(first, Mapping) else first))
    return len(first)
