"""The contract of the house: what a task, a system and their inputs are to everything that trains, tests and draws.

A *task* knows its data, scores and pictures, and no model. A *system* is any `nn.Module` with three methods, and knows
no task machinery. The verbs of the command line know both by this file alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from crossmodal.data.clip import Clip, Preprocess
from crossmodal.data.source import Source

from .settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Clips(NamedTuple):
    """Inputs of a system that reads frames and waves.

    Attributes:
        preprocess: Size, rate and normalisation of the clips.
    """

    preprocess: Preprocess


class Features(NamedTuple):
    """Inputs of a system that reads features of frozen extractors: every clip is run once and cached on disk.

    Such a system finds the features in the batch's fields `frames` and `wave`, in place of pixels and samples.

    Attributes:
        preprocess: What the extractors' clips look like.
        visual: `(segment, 3, height, width)` → features `(segment, …)`.
        audio: `(segment, sample)` → features `(segment, …)`.
        name: Name of the features; part of the cache's identity.
    """

    preprocess: Preprocess
    visual: nn.Module
    audio: nn.Module
    name: str


@runtime_checkable
class System(Protocol):
    """Any `nn.Module` that a recipe function returns.

    Attributes:
        inputs: What it reads.
        classes: Its label vocabulary; indices in predictions refer to it.
    """

    inputs: Clips | Features
    classes: tuple[str, ...]

    def forward(self, batch: Any) -> Any:
        """Returns the system's outputs for a batch, a NamedTuple of its own."""

    def loss(self, outputs: Any, batch: Any) -> dict[str, Tensor]:
        """Returns the named loss terms; all are logged, their sum is trained."""

    def predict(self, outputs: Any) -> Any:
        """Returns the task's prediction."""


if TYPE_CHECKING:

    class SystemModule(nn.Module):
        """A system as type checkers see what a recipe function returns: `nn.Module` and `System` at once."""

        classes: tuple[str, ...]

        @property
        def inputs(self) -> Clips | Features:
            """What the system reads."""

        def loss(self, outputs: Any, batch: Any) -> dict[str, Tensor]:
            """Returns the named loss terms."""

        def predict(self, outputs: Any) -> Any:
            """Returns the task's prediction."""

else:
    SystemModule = nn.Module  # no base class is asked of a system


def system_remarks(system: nn.Module) -> list[str]:
    """Returns what a reader of a system's scores must know beside its options; shown by `fit` and `cost`.

    A system says it by a method `remarks() -> list[str]`; one without has nothing to say.
    """
    said: list[str] = getattr(system, "remarks", list)()
    return said


class Row(NamedTuple):
    """One scored line of `predictions.csv`, and one observation of the paired bootstrap.

    Attributes:
        item: Place of the item in its batch; written as the item's name.
        value: Its contribution to the score's numerator.
        weight: Its contribution to the score's denominator.
        columns: What else is written: truth, prediction, score.
    """

    item: int
    value: float
    weight: float
    columns: Mapping[str, str | int | float]


class Told(NamedTuple):
    """One thing that `predict` says of a video: a line to read, and a row of its table.

    Attributes:
        line: For people.
        columns: For programs; empty for a line that only says what follows, such as a heading.
    """

    line: str
    columns: Mapping[str, str | int | float]


class Scores(Protocol):
    """What `Task.scores` returns: a torchmetrics `Metric` whose `compute` returns a dictionary."""

    def update(self, prediction: Any, batch: Any) -> None:
        """Adds one batch."""

    def compute(self) -> Mapping[str, float]:
        """Returns name → score over all batches and processes."""

    def reset(self) -> None:
        """Forgets all batches."""


class Task(Protocol):
    """What one task is to all verbs; one instance named `TASK` per module of `crossmodal.tasks`.

    Attributes:
        name: Word on the command line.
        title: Heading of reports.
        about: What `fit` does, in one sentence.
        monitor: Score that selects weights on validation; higher is better.
        unit: What is right or wrong, `"segments"`. A task of other scores, such as overlaps, also says
            `scores_are_shares = False`.
        system: Name of the system that `fit` trains where none is given.
        sources: Name → data source; the keywords of a source are `--data.*`. The one without a required keyword is
            the default.
        quick: Settings for tiny encoders: minutes on a laptop.
        segments: Seconds of a window of a video in `predict`.
        absent: Verb → sentence, for verbs that the task cannot have.

    A task whose `predict` needs words beside the video names them in `asks_for`, such as `("QUESTION",)`.
    """

    name: str
    title: str
    about: str
    monitor: str
    unit: str
    system: str
    sources: Mapping[str, type[Source]]
    quick: Settings
    segments: int
    absent: Mapping[str, str]

    def scores(self) -> Scores:
        """Returns a new score counter."""

    def rows(self, prediction: Any, batch: Any, classes: Sequence[str]) -> Iterable[Row]:
        """Returns the scored lines of a batch."""

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns what a model that looks at nothing would get, by the names of `scores`."""

    def draw(self, prediction: Any, item: Any, classes: Sequence[str], *, start: int = 0) -> "Figure":
        """Returns a figure of one predicted item, with its truth where the item has one.

        Args:
            prediction: Of a batch of this one item.
            item: An item of a data set, or a `Clip`; where its frames are pictures they are RGB in [0, 1].
            classes: Label vocabulary.
            start: First second of the item, for windows of a video.
        """

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> Any:
        """Returns the batch of one clip of a video, an item for everything that is asked of it.

        Args:
            clip: A window of the video.
            words: What `predict` was given beside the video.
            classes: Label vocabulary of the system that is asked.
        """

    def tell(self, windows: Sequence[tuple[Clip, Any]], classes: Sequence[str]) -> Iterable[Told]:
        """Returns what `predict` prints, and writes as a table, of a video's windows and their predictions.

        A prediction is a NamedTuple of tensors whose first axis is the item, so that windows can share a batch.
        """


@runtime_checkable
class Labelled(Protocol):
    """A task whose items carry a class index per segment: `look` and `figure` compare by them."""

    def labels(self, batch: Any, classes: Sequence[str]) -> Tensor:
        """Returns `(clip, segment)` class indices; the number of classes stands for background."""


@runtime_checkable
class WritesFiles(Protocol):
    """A task whose predictions of a video are files as well: `predict --WORD FOLDER` writes them.

    Attributes:
        files: The word, such as `"masks"`.
    """

    files: str

    def write_files(self, folder: Path, film: Path, windows: Sequence[tuple[Clip, Any]]) -> str:
        """Writes predictions of the windows of a video, with frames in [0, 1], into a folder; returns what it wrote."""


def refuse_words(task: str, words: Sequence[str]) -> None:
    """Refuses words beside the video of `predict`, for tasks that take none.

    Raises:
        ValueError: If there are any.
    """
    if words:
        raise ValueError(f"{task} predict: {' '.join(words)!r} beside the video is not understood: leave it out.")


def scores_are_shares(task: Task) -> bool:
    """Returns whether the scores of a task are shares of its unit; one with `scores_are_shares = False` says no."""
    return bool(getattr(task, "scores_are_shares", True))


def percent_of(task: Task) -> str:
    """Returns `"% of segments"`, or `"%"` for a task whose scores are no shares of its unit."""
    return f"% of {task.unit}" if scores_are_shares(task) else "%"
