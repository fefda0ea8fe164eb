"""Where clips come from: the splits of a data set under the options that every data set shares."""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .annotations import told_events
from .ave import AVE
from .clip import Preprocess
from .published_tables import SPLITS
from .world import TINY, World


class EpochIndex(int):
    """Index of a training item that knows in which epoch it is read; any other index counts as of epoch 0.

    The sampler makes it, so that what an item draws follows from seed, index and epoch alone: it depends on no worker,
    and a training that resumes draws alike.

    Attributes:
        epoch: Number of the epoch, counted from 0.
    """

    epoch: int

    def __new__(cls, index: int, epoch: int) -> "EpochIndex":
        """Makes the index of an item in an epoch."""
        made = super().__new__(cls, index)
        made.epoch = epoch
        return made

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        """Returns what a worker makes it of again."""
        return EpochIndex, (int(self), self.epoch)


def epoch_of(index: int) -> int:
    """Returns the epoch in which an item is read."""
    return index.epoch if isinstance(index, EpochIndex) else 0


class Items(Protocol):
    """A map-style data set whose items are NamedTuples of a task, such as `AVE`, `World`, `Folder`.

    A method `stamp(index)`, as of `crossmodal.data.stamps.Stamped`, spares caches of features the reading of an item
    that has not changed. In training an index is an `EpochIndex`, for what is to be drawn anew in every epoch.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary of the task: event names, answers; empty where there is none."""

    @property
    def names(self) -> list[str]:
        """Name of every item, unique within the split."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> NamedTuple: ...


class Source:
    """Base class: yields the three splits of one data set. Its keywords are the options `--data.*`.

    Set `preprocess` to the one that the system's inputs ask for before the first item is read.

    Attributes:
        features: Name of the features that its items are, as `Features.name`; empty where they are clips.
        preparation: Module whose `prepare(argv, prog)` writes the published layout from video files; empty for none.
        window: Seconds of a video that `predict` shows a system at once; 0 for the length of an item.
    """

    features = ""
    preparation = ""
    window = 0

    def __init__(self, *, batch_size: int = 8, workers: int = 0, seed: int = 0, validation: str = "val"):
        """Checks the options that all sources share.

        Args:
            batch_size: Items of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training items.
            validation: Split on which weights are selected. `"test"` repeats trainings that did so; no figure of such
                a run is one for unseen items.

        Raises:
            ValueError: If `validation` is neither `"val"` nor `"test"`.
        """
        if validation not in ("val", "test"):
            raise ValueError(
                f"{type(self).__name__}: validation={validation!r} must be 'val', or 'test' to select on the test "
                "split."
            )
        self.batch_size, self.workers, self.seed, self.validation = batch_size, workers, seed, validation
        self.preprocess: Preprocess | None = None

    def split(self, name: str) -> Items:
        """Returns the data set of one split: `"train"`, `"val"` or `"test"`."""
        raise NotImplementedError(f"{type(self).__name__}: split(name={name!r}) must be defined by a subclass.")

    def groups(self) -> Sequence[Hashable] | None:
        """Returns the group of every training item, such as its clip, where those of a group are to come together."""
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary of the data."""
        return self.split("val").classes

    def describe(self) -> str:
        """Returns where the items come from, in words."""
        return type(self).__name__

    def describe_to_others(self) -> str:
        """Returns `describe()` with the names of files and folders in place of their paths: for reports and cards."""
        said = self.describe()
        for path in sorted(_paths(self), key=lambda path: -len(str(path))):
            said = said.replace(str(path), path.name)
        return said

    def check(self) -> None:
        """Looks at what all splits need, before a training is begun on them.

        Raises:
            ValueError: If something is missing.
        """

    def ready(self) -> Sequence[str]:
        """Makes the items ready before the first batch; returns sentences about what was read and left out."""
        return ()

    def left_out(self) -> dict[str, str]:
        """Returns file → reason for the files that cannot be read."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Returns facts about the items for a run's summary."""
        return {}


def _paths(source: Source) -> Iterator[Path]:
    """Yields the paths that a source, or one inside it, was given; those that are names already are left out."""
    for value in vars(source).values():
        if isinstance(value, Source):
            yield from _paths(value)
        elif isinstance(value, Path) and value.name and str(value) != value.name:
            yield value


class DrawnSource(Source):
    """Base class of sources of the built-in world: items are drawn, as many as are asked for."""

    def __init__(
        self,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
    ):
        """Draws a world.

        Args:
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            clips: Training clips.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.

        Raises:
            ValueError: If the options make no world.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.clips, self.held_out = clips, held_out
        self.split("train")  # refuses options that make no world before anything is built

    def split(self, name: str) -> Items:
        """Returns the clips of one split."""
        # `val` and `test` draw from streams of their own: the same size, never the same clips
        return self.drawn(name, self.clips if name == "train" else self.held_out, self.preprocess or TINY)

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> Items:
        """Returns so many clips of one split."""
        raise NotImplementedError(f"{type(self).__name__}: drawn(name={name!r}) must be defined by a subclass.")


class WorldSource(DrawnSource):
    """Clips of the built-in world: procedural, no real data."""

    def __init__(
        self,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
        answer: str = "place",
    ):
        """Draws a world.

        Args:
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            clips: Training clips.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.
            answer: Where the answer lies: at a `place`, in a `channel`, in a `band` or in a `second`; `pair` is a place
                that is named by its texture and colour.

        Raises:
            ValueError: If there is no such answer.
        """
        self.answer = answer  # first: the base class draws
        super().__init__(
            batch_size=batch_size, workers=workers, clips=clips, held_out=held_out, seed=seed, validation=validation
        )

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> World:
        """Returns so many clips of one split."""
        return World(name, clips=clips, seed=self.seed, answer=self.answer, preprocess=preprocess)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        where = "" if self.answer == "place" else f", the answer in a {self.answer}"
        drawn = f"seed {self.seed}, {self.clips} training clips{where}"
        return f"the built-in world ({drawn}): procedural clips, no real data"


class AVESource(Source):
    """Clips of a folder in AVE's published layout (`crossmodal.data.AVE`)."""

    preparation = "crossmodal.data.many_videos.prepare_ave"

    def __init__(
        self,
        root: Path,
        *,
        batch_size: int = 8,
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
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.wave_rate = Path(root), wave_rate

    def split(self, name: str) -> AVE:
        """Returns the clips of one split."""
        return AVE(self.root, name, self.preprocess, wave_rate=self.wave_rate)

    def ready(self) -> Sequence[str]:
        """Returns sentences about rows that stand twice, and videos of training that are held out, too."""
        return told_events({name: AVE(self.root, name).events for name in SPLITS})

    def check(self) -> None:
        """Looks at the names and sizes of all files of all splits, before an hour is lost on the way to a missing one.

        Raises:
            ValueError: If a clip lacks a frame or its wave, or a split has a row that `Annotations.txt` has not.
        """
        found = {name: self.split(name).check() for name in SPLITS}
        if problems := [(name, said) for name, clips in found.items() for of in clips.values() for said in of]:
            counts = ", ".join(f"{len(clips)} {name}" for name, clips in found.items() if clips)
            raise ValueError(
                f"{self.root} lacks something of {sum(map(len, found.values()))} clips ({counts}). The first is of "
                f"{problems[0][0]}: {problems[0][1]} Bring what is missing, or take the rows of these clips out of "
                "Annotations.txt and the splits; crossmodal.data.AVE(root, split).check() lists all."
            )

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root}"
