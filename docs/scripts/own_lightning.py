"""Trains a system of this library in a Lightning module of one's own, with checkpoints of the adapters alone."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader

import crossmodal
from crossmodal.checkpoints import adapter_state
from crossmodal.data import LabelledClip, World
from crossmodal.sharing import SystemOptions, build_system
from crossmodal.tasks.ave import TASK


class Mine(pl.LightningModule):
    """Sums the named losses of a system, scores it as its task does, and keeps what is trained of it."""

    def __init__(self, system: nn.Module):
        """Wraps a system."""
        super().__init__()
        self.system, self.scores = system, TASK.scores()

    def training_step(self, batch: LabelledClip, index: int) -> Tensor:
        """Computes the loss that is trained."""
        terms = self.system.loss(self.system(batch), batch)
        self.log_dict({f"train_{name}": term for name, term in terms.items()})
        return sum(terms.values())

    def validation_step(self, batch: LabelledClip, index: int) -> None:
        """Adds the scores of a batch."""
        self.scores.update(self.system.predict(self.system(batch)), batch)

    def on_validation_epoch_end(self) -> None:
        """Logs the scores over all batches, and forgets them."""
        self.log_dict({f"val_{name}": torch.as_tensor(value) for name, value in self.scores.compute().items()})
        self.scores.reset()

    def configure_optimizers(self) -> Adam:
        """Returns the optimizer of what is not frozen."""
        return Adam([each for each in self.parameters() if each.requires_grad], lr=3e-4)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves the frozen encoders out of the file."""
        checkpoint["state_dict"] = {f"system.{name}": each for name, each in adapter_state(self.system).items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the encoders, which the file leaves out, from this system."""
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}


def train(
    options: SystemOptions, *, clips: int, size: int = 2, resume: str | Path | None = None, **trainer: Any
) -> Mine:
    """Trains on the built-in world, from a checkpoint on; `trainer` are keywords of Lightning's trainer."""
    worlds = {split: World(split, clips=clips) for split in ("train", "val")}
    system = build_system(options, worlds["train"].classes)
    for world in worlds.values():
        world.preprocess = system.inputs.preprocess
    module = Mine(system)
    loaders = {split: DataLoader(world, batch_size=size) for split, world in worlds.items()}
    pl.Trainer(**trainer).fit(module, loaders["train"], loaders["val"], ckpt_path=resume)
    return module


if __name__ == "__main__":
    trained = train(SystemOptions("ave", "lite"), clips=4, max_epochs=1, accumulate_grad_batches=2)
    crossmodal.save(trained.system.eval(), "shared/mine")
