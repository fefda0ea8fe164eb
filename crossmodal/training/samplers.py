"""Samplers whose epochs depend on seed and number alone: a resumed run ends as one that was never interrupted."""

import math
from collections.abc import Hashable, Iterator, Sequence, Sized
from itertools import pairwise

import pytorch_lightning as pl
import torch
from torch.utils.data import Sampler

from crossmodal.data.source import EpochIndex


class EpochShuffle(Sampler[int]):
    """Every epoch in an order of its own, which follows from `seed` and the number of the epoch alone.

    Its indices are `EpochIndex`, for items that draw something anew in every epoch. Of several processes each takes
    every n-th item of that order, so that their batches together are the batches of one process whose batch is n times
    as large; what does not divide by n is left out.
    """

    def __init__(
        self,
        items: Sized,
        seed: int,
        *,
        process: int = 0,
        processes: int = 1,
        groups: Sequence[Hashable] | None = None,
    ):
        """Sets what is shuffled.

        Args:
            items: Data set.
            seed: Seed of the orders.
            process: Which of `processes` this one is.
            processes: How many there are.
            groups: Group of every item: those of one follow one another, in the order of the data set, and groups are
                shuffled. By default every item is alone.
        """
        self.items, self.seed, self.epoch = items, seed, 0
        self.groups = groups
        self.process, self.processes = process, processes
        self.behind = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Sets the number of the epoch; called by Lightning before every one."""
        self.epoch = epoch

    def go_on(self, epoch: int, items: int) -> None:
        """Begins with `epoch`, of which the first `items` of this process are left out; later epochs are whole.

        Workers read ahead before Lightning calls `set_epoch`.
        """
        self.epoch, self.behind = epoch, (epoch, items)

    def __iter__(self) -> Iterator[int]:
        # far apart: no epoch of one seed has the order of another seed's
        order = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        shuffled = self._shuffle(order)
        epoch, behind = self.behind
        own = shuffled[self.process :: self.processes][behind if epoch == self.epoch else 0 : len(self)]
        return iter([EpochIndex(index, self.epoch) for index in own])

    def __len__(self) -> int:
        return len(self.items) // self.processes

    def _shuffle(self, order: torch.Generator) -> list[int]:
        """Returns all indices in the order of an epoch."""
        if self.groups is None:
            return torch.randperm(len(self.items), generator=order).tolist()
        members: dict[Hashable, list[int]] = {}
        for index, group in enumerate(self.groups):
            members.setdefault(group, []).append(index)
        listed = list(members.values())
        return [index for at in torch.randperm(len(listed), generator=order).tolist() for index in listed[at]]


class EvenShare(Sampler[list[int]]):
    """One process's batches of held-out items: every item in one process only, as many batches in each of them.

    Processes that ran another number of batches would wait for each other for ever, and items that are repeated to
    make them even would count twice.
    """

    def __init__(self, items: Sized, batch_size: int, *, process: int, processes: int):
        """Deals items to batches.

        Args:
            items: Data set.
            batch_size: Items of a batch (one more where a process had none for its last).
            process: Which of `processes` this one is.
            processes: How many there are.

        Raises:
            ValueError: If there are fewer items than processes.
        """
        if len(items) < processes:
            raise ValueError(f"EvenShare: {len(items)} held-out clips cannot be shared by {processes} processes.")
        self.own = range(process, len(items), processes)
        largest = math.ceil(len(items) / processes)
        # no more batches than the process with the fewest items can fill
        self.batches = min(math.ceil(largest / batch_size), len(items) // processes)

    def __iter__(self) -> Iterator[list[int]]:
        cuts = [len(self.own) * batch // self.batches for batch in range(self.batches + 1)]
        return (list(self.own[start:stop]) for start, stop in pairwise(cuts))

    def __len__(self) -> int:
        return self.batches


class Reseeded(pl.Callback):
    """Seeds dropout anew at the start of every epoch, by `seed`, the number of the epoch and that of the process."""

    def __init__(self, seed: int):
        """Takes the seed of the run."""
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seeds torch; called by Lightning."""
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch + trainer.global_rank * 1_000_003_019)
