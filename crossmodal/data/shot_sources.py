"""Sources of the tasks on class names in published layouts: AVE, LLP and VGGSound-AVEL40k."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from .ave import AVE
from .llp import LLP, told_same_files
from .published_tables import SPLITS, told_twice
from .shots import Shots, classified, first_of_each, localised, shots_in_words, told_fewer
from .source import AVESource, Source
from .vggsound import VGGSoundEvents
from .world.captions import BACKGROUND as BACKGROUND


def localised_item(item: Any, count: int) -> Tensor:
    """Returns the target of every second of a labelled clip."""
    return localised(item.labels, count)


def classified_item(item: Any, count: int) -> Tensor:
    """Returns the target of a labelled clip as a whole; background lies behind the labels."""
    return classified(item.labels, count, background=count)


def present_item(item: Any) -> Tensor:
    """Returns the target of a parsed clip as a whole: all that is heard or seen in it."""
    present: Tensor = item.present[None]
    return present


class ShotAVESource(AVESource):
    """Clips of AVE in its published layout: the first few of every class to train on, events by second."""

    def __init__(
        self,
        root: Path,
        *,
        shots: int = 16,
        batch_size: int = 2,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            root: Folder of the data set.
            shots: Training clips of every class, the first in the order of the split; 0 for all.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            wave_rate: Samples per second of the stored waves.
            validation: Split on which weights are selected, `"val"`; the released code selects on `"test"`.
        """
        super().__init__(
            root, batch_size=batch_size, workers=workers, seed=seed, wave_rate=wave_rate, validation=validation
        )
        self.shots = shots

    def split(self, name: str) -> Any:
        """Returns the clips of one split."""
        items = super().split(name)
        target, classes = self.labelled(items.classes)
        labels = [event.category for event in items.events]
        chosen = first_of_each(labels, self.shots, items.classes) if name == "train" else None
        return Shots(items, target, classes, chosen=chosen)

    def ready(self) -> Sequence[str]:
        """Returns sentences about classes of few clips, and clips that stand twice."""
        items = AVE(self.root, "train")
        labels = [event.category for event in items.events]
        return [*told_fewer(labels, self.shots, items.classes), *super().ready()]

    def labelled(self, classes: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """Returns the target of an item, and the names of its labels."""
        return partial(localised_item, count=len(classes) + 1), (*classes, BACKGROUND)

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root} ({shots_in_words(self.shots)})"


class ClassifiedAVESource(ShotAVESource):
    """Clips of AVE as wholes: the class of the first second that shows an event."""

    def __init__(
        self,
        clips_of: Path,
        *,
        shots: int = 16,
        batch_size: int = 2,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            clips_of: Folder of the data set, whose clips are classified as wholes.
            shots: Training clips of every class, the first in the order of the split; 0 for all.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            wave_rate: Samples per second of the stored waves.
            validation: Split on which weights are selected, `"val"`; the released code selects on `"test"`.
        """
        super().__init__(
            clips_of,
            shots=shots,
            batch_size=batch_size,
            workers=workers,
            seed=seed,
            wave_rate=wave_rate,
            validation=validation,
        )

    def labelled(self, classes: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """Returns the target of an item, and the names of its labels."""
        return partial(classified_item, count=len(classes)), classes


class LocalisedByNameSource(ShotAVESource):
    """Clips of AVE by second, without background among the names: a second of background is always wrong.

    So the released zero-shot evaluation counts; the most that is right is the share of seconds with an event, 82.2 % of
    the test split.
    """

    def labelled(self, classes: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """Returns the target of an item, and the names of its labels."""
        return partial(localised_item, count=len(classes) + 1), classes


class ShotLLPSource(Source):
    """Clips of LLP in its published layout, as wholes: the first few of every category, of clips with one label."""

    def __init__(
        self,
        llp: Path,
        *,
        shots: int = 16,
        batch_size: int = 2,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            llp: Folder of the data set.
            shots: Training clips of every category, the first single-label ones in the order of the table.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            wave_rate: Samples per second of the stored waves.
            validation: Split on which weights are selected, `"val"`; the released code selects on `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.shots, self.wave_rate = Path(llp), shots, wave_rate

    def split(self, name: str) -> Shots:
        """Returns the clips of one split."""
        items = LLP(self.root, name, self.preprocess, wave_rate=self.wave_rate)
        chosen = first_of_each(_single(items), self.shots, items.classes) if name == "train" else None
        return Shots(items, present_item, items.classes, chosen=chosen)

    def ready(self) -> Sequence[str]:
        """Returns sentences about categories of few clips, and clips that stand twice."""
        found = {name: LLP(self.root, name) for name in SPLITS}
        of_splits = {name: [row.name for row in items.rows] for name, items in found.items()}
        fewer = told_fewer(_single(found["train"]), self.shots, found["train"].classes)
        return [*fewer, *told_twice(of_splits), *told_same_files(of_splits)]

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root} ({shots_in_words(self.shots)})"


def _single(items: LLP) -> list[str | None]:
    """Returns the category of every clip of one label, `None` for the others."""
    return [row.categories[0] if len(row.categories) == 1 else None for row in items.rows]


class VGGSoundSource(Source):
    """Clips of VGGSound-AVEL40k in its published layout, events by second."""

    def __init__(
        self,
        root: Path,
        *,
        batch_size: int = 2,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            root: Folder of the data set.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            wave_rate: Samples per second of the stored waves.
            validation: Split on which weights are selected, `"val"`; the released code selects on `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.wave_rate = Path(root), wave_rate

    def split(self, name: str) -> Shots:
        """Returns the clips of one split."""
        items = VGGSoundEvents(self.root, name, self.preprocess, wave_rate=self.wave_rate)
        classes = (*items.classes, BACKGROUND)
        return Shots(items, partial(localised_item, count=len(classes)), classes)

    def ready(self) -> Sequence[str]:
        """Returns sentences about rows of other splits, and clips that stand twice."""
        found = {name: VGGSoundEvents(self.root, name) for name in SPLITS}
        others = [f"{count} rows of the split {word!r}" for word, count in found["train"].unread.items()]
        read = {name: [row.video for row in items.rows] for name, items in found.items()}
        return [*([f"not read: {', '.join(others)}"] if others else []), *told_twice(read)]

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root}"
