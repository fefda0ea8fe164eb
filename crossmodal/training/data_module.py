"""Batches of clips for a training: shuffled by seed and epoch, shared by processes, gone on with within an epoch."""

from collections.abc import Sequence
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from crossmodal.data import LabelledClip, Preprocess
from crossmodal.training.samplers import EpochShuffle, EvenShare


class Clips(Protocol):
    """A data set of labelled clips: `AVE`, `World`, `Folder`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the events, background not counted."""

    @property
    def names(self) -> list[str]:
        """A name for every clip."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LabelledClip: ...


class ClipData(pl.LightningDataModule):
    """The batches of three splits; `split` says what is in them.

    - `batch_size`: clips a step, in every process. `workers`: processes that read ahead.
    - `seed`: of the order of the training clips.
    - `validation`: the split that weights are selected on, `"val"` or `"test"`.

    Set `preprocess` to the model's before the first batch.
    """

    def __init__(self, *, batch_size: int, workers: int, seed: int, validation: str):
        super().__init__()
        if validation not in ("val", "test"):
            raise ValueError(
                f"{type(self).__name__}: validation={validation!r} must be 'val', or 'test' to select on the test "
                "split."
            )
        self.batch_size, self.workers, self.seed, self.validation = batch_size, workers, seed, validation
        self.preprocess: Preprocess | None = None
        self.behind = (0, 0)

    def split(self, name: str) -> Clips:
        """The data set of one split: `"train"`, `"val"` or `"test"`."""
        raise NotImplementedError(f"{type(self).__name__}: split is for a class of data to say.")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the events, background not counted."""
        return self.split("val").classes

    def ready(self) -> Sequence[str]:
        """Makes the clips ready before the first batch; returns what there is to say of them."""
        return ()

    def left_out(self) -> dict[str, str]:
        """Files that cannot be had, and why."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What a run's summary says of its clips."""
        return {}

    def go_on(self, epoch: int, batches: int) -> None:
        """Begins with `epoch`, and in it behind the first `batches` training batches."""
        self.behind = (epoch, batches)

    def train_dataloader(self) -> DataLoader[LabelledClip]:
        """Shuffled batches, the last short one left out: batch norm wants full ones."""
        clips, place = self.split("train"), self._place()
        order = EpochShuffle(clips, self.seed, **place)
        epoch, batches = self.behind
        order.go_on(epoch, batches * self.batch_size)
        return self._loader(clips, batch_size=self.batch_size, sampler=order, drop_last=len(order) > self.batch_size)

    def val_dataloader(self) -> DataLoader[LabelledClip]:
        """Batches for model selection."""
        return self._held_out(self.validation)

    def test_dataloader(self) -> DataLoader[LabelledClip]:
        """Batches that are read once, at the end."""
        return self._held_out("test")

    def _held_out(self, split: str) -> DataLoader[LabelledClip]:
        clips, place = self.split(split), self._place()
        if place["processes"] == 1:
            return self._loader(clips, batch_size=self.batch_size)
        return self._loader(clips, batch_sampler=EvenShare(clips, self.batch_size, **place))

    def _place(self) -> dict[str, int]:
        """Which of how many processes this one is."""
        if self.trainer is None:
            return {"process": 0, "processes": 1}
        return {"process": self.trainer.global_rank, "processes": self.trainer.world_size}

    def _loader(self, clips: Any, **batches: Any) -> DataLoader[LabelledClip]:
        return DataLoader(
            clips,
            generator=torch.Generator(),  # one that no other draw moves
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            **batches,
        )
