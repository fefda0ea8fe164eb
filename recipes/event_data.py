"""The clips that audio-visual events are learned from: the built-in world, or a folder in AVE's layout."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from crossmodal.data import AVE, LabelledClip, Preprocess
from crossmodal.data.world import World

from .running.epochs import EpochShuffle, EvenShare


class EventData(pl.LightningDataModule):
    """Clips of the built-in world, or of a data set in AVE's layout (`crossmodal.data.AVE`).

    - `root`: folder of the data set; `None` for the built-in world.
    - `batch_size`: clips a step, in every process.
    - `workers`: processes that read ahead.
    - `clips`: training clips of the built-in world; validation and test have `held_out` each.
    - `seed`: of the built-in world, and of the order of the training clips.
    - `wave_rate`: samples a second of the stored waves of a data set.
    - `validation`: the split that weights are selected on; `"test"` repeats trainings that did so, and no figure of
      such a run is one for unseen clips.

    Set `preprocess` to the model's before the first batch.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        super().__init__()
        if validation not in ("val", "test"):
            raise ValueError(
                f"EventData: validation={validation!r} must be 'val', or 'test' to select on the test split."
            )
        self.validation = validation
        self.root, self.batch_size, self.workers = root, batch_size, workers
        self.clips, self.held_out, self.seed, self.wave_rate = clips, held_out, seed, wave_rate
        self.preprocess: Preprocess | None = None
        self.behind = (0, 0)

    def split(self, name: str) -> World | AVE:
        """The data set of one split: `"train"`, `"val"` or `"test"`."""
        if self.root is not None:
            return AVE(self.root, name, self.preprocess, wave_rate=self.wave_rate)
        options = {} if self.preprocess is None else {"preprocess": self.preprocess}
        return World(name, clips=self.clips if name == "train" else self.held_out, seed=self.seed, **options)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the events, background not counted."""
        return self.split("val").classes

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

    def _loader(self, clips: World | AVE, **batches: Any) -> DataLoader[LabelledClip]:
        return DataLoader(
            clips,
            generator=torch.Generator(),  # one that no other draw moves
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            **batches,
        )
