"""Epochs that do not depend on what came before them: a run that resumes ends as one that was never interrupted."""

from collections.abc import Iterator, Sized

import pytorch_lightning as pl
import torch
from torch.utils.data import Sampler


class EpochShuffle(Sampler[int]):
    """Every epoch in an order of its own, which follows from `seed` and the number of the epoch alone."""

    def __init__(self, items: Sized, seed: int):
        """`items`: what is shuffled. `seed`: of the orders."""
        self.items, self.seed, self.epoch = items, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        return iter(torch.randperm(len(self.items), generator=order).tolist())

    def __len__(self) -> int:
        return len(self.items)


class Reseeded(pl.Callback):
    """Seeds dropout anew at the start of every epoch, by `seed` and the number of the epoch."""

    def __init__(self, seed: int):
        """`seed`: of the run."""
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch)
