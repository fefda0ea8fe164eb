"""Lightning data module of any source: shuffled by seed and epoch, shared by processes, resumed within an epoch."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from crossmodal.data.source import Items, Source

from .samplers import EpochShuffle, EvenShare


class DataModule(pl.LightningDataModule):
    """Batches of the three splits of a source."""

    def __init__(self, source: Source):
        """Wraps a source.

        Args:
            source: Says what is in the splits, how items are batched and which split selects the weights.
        """
        super().__init__()
        self.source = source
        self.behind = (0, 0)

    def go_on(self, epoch: int, batches: int) -> None:
        """Begins with `epoch`, and in it behind the first `batches` training batches."""
        self.behind = (epoch, batches)

    def train_dataloader(self) -> DataLoader[Any]:
        """Returns shuffled batches; the last short one is left out, for batch norm wants full ones."""
        items, size = self.source.split("train"), self.source.batch_size
        order = EpochShuffle(items, self.source.seed, groups=self.source.groups(), **self._rank())
        epoch, batches = self.behind
        order.go_on(epoch, batches * size)
        # a split smaller than one batch keeps it: there would be none
        return self._loader(items, batch_size=size, sampler=order, drop_last=len(order) > size)

    def val_dataloader(self) -> DataLoader[Any]:
        """Returns the batches that select weights."""
        return self._held_out(self.source.validation)

    def test_dataloader(self) -> DataLoader[Any]:
        """Returns the batches that are read once, at the end."""
        return self._held_out("test")

    def _held_out(self, split: str) -> DataLoader[Any]:
        items, rank = self.source.split(split), self._rank()
        if rank["processes"] == 1:
            return self._loader(items, batch_size=self.source.batch_size)
        return self._loader(items, batch_sampler=EvenShare(items, self.source.batch_size, **rank))

    def _rank(self) -> dict[str, int]:
        """Returns which of how many processes this one is."""
        if self.trainer is None:
            return {"process": 0, "processes": 1}
        return {"process": self.trainer.global_rank, "processes": self.trainer.world_size}

    def _loader(self, items: Items, **batches: Any) -> DataLoader[Any]:
        return DataLoader(
            items,  # type: ignore[arg-type]  # a protocol, not torch's class
            generator=torch.Generator(),  # one that no other draw moves
            num_workers=self.source.workers,
            persistent_workers=self.source.workers > 0,
            **batches,
        )
