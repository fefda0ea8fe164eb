"""Training on clips: what a step, a validation and a test are, whatever the task."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torchmetrics import Metric

from crossmodal.checkpoints import adapter_state
from crossmodal.data import LabelledClip
from crossmodal.heads.events import Decoded
from crossmodal.metrics import majority_share, segment_accuracy, segment_counts
from crossmodal.training.predictions import Collected, Tested


class SegmentAccuracy(Metric):
    """`crossmodal.metrics.segment_accuracy`, summed over batches and processes."""

    right: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Counts one batch of `(clip, segment)` labels."""
        counts = segment_counts(predicted, target)
        self.right += counts.right
        self.total += counts.total

    def compute(self) -> Tensor:
        """The share of right segments."""
        return self.right / self.total


class MeanLoss(Metric):
    """The mean over the clips of all batches and processes; Lightning's own is wrong where theirs are unequal."""

    total: Tensor
    clips: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("clips", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, clips: int) -> None:
        """Counts the mean loss of one batch of so many clips."""
        self.total = self.total + loss * clips
        self.clips += clips

    def compute(self) -> Tensor:
        """The mean loss of a clip."""
        return self.total / self.clips


class ClipTraining(pl.LightningModule):
    """Adam on everything that is not frozen, with a learning rate that falls in steps; selection on validation.

    - `model`: clips in; its frozen encoders are left out of checkpoints.
    - `lr`: learning rate. `decay`, `every`: it is multiplied by `decay` every so many epochs.
    - `schedule`: `(optimizer, steps of the whole training) -> scheduler`, stepped after every step, in place of
      `decay`; `crossmodal.training.schedules.one_cycle` is one.

    A task says what its model's words cost and mean: `loss_of`, `truth_of`, `decode`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        decay: float,
        every: int,
        schedule: Callable[[Optimizer, int], LRScheduler] | None,
    ):
        super().__init__()
        self.model = model
        self.lr, self.decay, self.every, self.schedule = lr, decay, every, schedule
        self.accuracy, self.loss = SegmentAccuracy(), MeanLoss()
        self.batches: list[list[int]] = []
        self.collected = Collected()
        self.tested: Tested | None = None

    def said_of(self, batch: LabelledClip) -> Any:
        """What the model says of a batch."""
        return self.model(batch.frames, batch.wave)

    def loss_of(self, said: Any, batch: LabelledClip) -> Tensor:
        """What a batch costs."""
        raise NotImplementedError(f"{type(self).__name__}: loss_of is for a task to say.")

    def truth_of(self, batch: LabelledClip) -> Tensor:
        """What there is to be said: `(clip, segment)` class indices, or `(clip, 1)`."""
        raise NotImplementedError(f"{type(self).__name__}: truth_of is for a task to say.")

    def decode(self, said: Any) -> Decoded:
        """What the model says, in the shape of `truth_of`, and how sure it is."""
        raise NotImplementedError(f"{type(self).__name__}: decode is for a task to say.")

    def training_step(self, batch: LabelledClip, index: int) -> Tensor:
        """The loss of one batch."""
        loss = self.loss_of(self.said_of(batch), batch)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: LabelledClip, index: int) -> None:
        """Loss and accuracy on held-out clips."""
        said = self._evaluate(batch, "val")
        self.accuracy(self.decode(said).labels, self.truth_of(batch))
        self.log("val_accuracy", self.accuracy, prog_bar=True, on_step=False, on_epoch=True)

    def on_test_epoch_start(self) -> None:
        """Which clips of the split this process will see; a test is not shuffled."""
        self.batches = list(self.trainer.test_dataloaders.batch_sampler)

    def test_step(self, batch: LabelledClip, index: int) -> None:
        """Collects what is said of the test split."""
        decoded = self.decode(self._evaluate(batch, "test"))
        self.collected.update(self.batches[index], self.truth_of(batch), decoded)

    def on_test_epoch_end(self) -> None:
        """Keeps all that was said as `tested`; its accuracy, and what the most frequent label would get."""
        self.tested = self.collected.tested()
        self.collected.reset()
        accuracy = segment_accuracy(self.tested.prediction[None], self.tested.truth[None])
        self.log("test_accuracy", accuracy, sync_dist=True)
        self.log("test_majority", majority_share(self.tested.truth), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Adam on what is trained, and its schedule."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=self.lr)
        if self.schedule is None:
            return [optimizer], [StepLR(optimizer, self.every, self.decay)]
        steps = int(self.trainer.estimated_stepping_batches)
        return [optimizer], [{"scheduler": self.schedule(optimizer, steps), "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves the frozen encoders out of the file."""
        kept = {f"model.{name}" for name in adapter_state(self.model)}
        checkpoint["state_dict"] = {name: t for name, t in checkpoint["state_dict"].items() if name in kept}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the frozen encoders of this model where the file has none."""
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}

    def _evaluate(self, batch: LabelledClip, split: str) -> Any:
        said = self.said_of(batch)
        self.loss.update(self.loss_of(said, batch), len(batch.labels))
        self.log(f"{split}_loss", self.loss, on_step=False, on_epoch=True)
        return said
