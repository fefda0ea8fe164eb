"""A task that the library does not know: how many seconds of a clip are loud? Random clips, exact labels."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossmodal.data import Clip
from crossmodal.data.source import Source
from crossmodal.data.world import TINY
from crossmodal.drawing.canvas import new_figure
from crossmodal.metrics import segment_metric
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.task import Row, Told, refuse_words

SECONDS = 3


class LoudClip(NamedTuple):
    """A clip and how many of its seconds are loud."""

    frames: Tensor
    wave: Tensor
    count: Tensor


class RandomClips(Dataset):
    """Noise, loud in some seconds."""

    classes = tuple(map(str, range(SECONDS + 1)))

    def __init__(self, split: str, clips: int):
        self.split, self.clips = split, clips

    @property
    def names(self):
        return [f"{self.split}-{index}" for index in range(self.clips)]

    def __len__(self):
        return self.clips

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(1000 * len(self.split) + index)
        loud = torch.rand(SECONDS, generator=rng) > 0.5
        wave = torch.randn(SECONDS, TINY.rate, generator=rng) * torch.where(loud, 0.5, 0.01)[:, None]
        return LoudClip(torch.randn(SECONDS, 3, TINY.size, TINY.size, generator=rng), wave, loud.sum())


class RandomSource(Source):
    """Random clips."""

    def __init__(
        self, *, clips: int = 8, batch_size: int = 4, workers: int = 0, seed: int = 0, validation: str = "val"
    ):
        """Sets how many there are.

        Args:
            clips: Training clips; half as many are held out, twice.
            batch_size: Clips of a step.
            workers: Processes that read ahead.
            seed: Seed of the order.
            validation: Split on which weights are selected.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.clips = clips

    def split(self, name):
        return RandomClips(name, self.clips if name == "train" else self.clips // 2)


class Counted(NamedTuple):
    """The most likely count of every clip."""

    count: Tensor


class Loudness:
    """The task."""

    name, title, about = "loudness", "Loud seconds", "Trains a system that counts loud seconds; tests it."
    monitor, unit, system, segments = "accuracy", "clips", "listener", SECONDS
    sources = MappingProxyType({"random": RandomSource})
    quick = Settings(optim={"lr": 1e-2}, trainer={"max_epochs": 1})
    absent = MappingProxyType({"reproduce": "nobody has published weights of this task"})

    def scores(self):
        return segment_metric(read=_counts)

    def rows(self, prediction, batch, classes: Sequence[str]) -> Iterator[Row]:
        for item, (truth, found) in enumerate(zip(batch.count.tolist(), prediction.count.tolist(), strict=True)):
            yield Row(item, float(truth == found), 1.0, {"truth": classes[truth], "prediction": classes[found]})

    def chance(self, rows):
        truths = [row.columns["truth"] for row in rows]
        return {"accuracy": max(map(truths.count, truths)) / len(truths)}

    def draw(self, prediction, item, classes, *, start=0):
        figure = new_figure(3, 1)
        figure.text(0.1, 0.4, f"{classes[prediction.count[0]]} loud seconds")
        return figure

    def ask(self, clip, words, classes):
        refuse_words(self.name, words)
        return Clip(clip.frames[None], clip.wave[None])

    def tell(self, windows, classes):
        count = sum(int(prediction.count[0]) for _, prediction in windows)
        yield Told(f"loud seconds: {count}", {"loud_seconds": count})

    def labels(self, batch, classes):
        return batch.count[:, None]


def _counts(prediction, batch):
    return prediction.count[:, None], batch.count[:, None]


TASK = Loudness()
