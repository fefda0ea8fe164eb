"""Sources of the tasks on class names: the built-in world, AVE, LLP and VGGSound-AVEL40k, with few clips of a class."""

from functools import cache, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from .ave import AVE
from .llp import LLP
from .shots import Shots, classified, first_of_each, localised
from .source import AVESource, Source
from .vggsound import VGGSoundEvents
from .world import TINY, World

BACKGROUND = "background"


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


@cache
def chosen_of_world(seed: int, clips: int, shots: int) -> tuple[int, ...]:
    """Returns the training clips of the world that are the first of their class."""
    world = World("train", clips=clips, seed=seed)
    # read one by one, and only until every class has its clips
    labels = (int(world.truth(index).labels.min()) for index in range(clips))
    return tuple(first_of_each(labels, shots, range(len(world.classes))))


class ShotWorldSource(Source):
    """Clips of the built-in world: the first few of every class to train on, events by second."""

    def __init__(
        self,
        *,
        shots: int = 16,
        batch_size: int = 2,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
    ):
        """Draws a world.

        Args:
            shots: Training clips of every class; 0 for all clips.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            clips: Clips from which the training clips are taken.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.shots, self.clips, self.held_out = shots, clips, held_out

    def split(self, name: str) -> Shots:
        """Returns the clips of one split."""
        clips = self.clips if name == "train" else self.held_out
        world = World(name, clips=clips, seed=self.seed, preprocess=self.preprocess or TINY)
        classes = (*world.classes, BACKGROUND)
        chosen = chosen_of_world(self.seed, clips, self.shots) if name == "train" else None
        return Shots(world, partial(localised_item, count=len(classes)), classes, chosen=chosen)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        return f"the built-in world (seed {self.seed}, {told(self.shots)}): procedural clips, no real data"


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
        items = AVE(self.root, name, self.preprocess, wave_rate=self.wave_rate)
        target, classes = self.labelled(items.classes)
        labels = [event.category for event in items.events]
        chosen = first_of_each(labels, self.shots, items.classes) if name == "train" else None
        return Shots(items, target, classes, chosen=chosen)

    def labelled(self, classes: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """Returns the target of an item, and the names of its labels."""
        return partial(localised_item, count=len(classes) + 1), (*classes, BACKGROUND)

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root} ({told(self.shots)})"


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
        single = [row.categories[0] if len(row.categories) == 1 else None for row in items.rows]
        chosen = first_of_each(single, self.shots, items.classes) if name == "train" else None
        return Shots(items, present_item, items.classes, chosen=chosen)

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root} ({told(self.shots)})"


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

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root}"


def told(shots: int) -> str:
    """Returns how many clips of a class are trained on, in words."""
    return f"{shots} training clips of a class" if shots else "all training clips"
