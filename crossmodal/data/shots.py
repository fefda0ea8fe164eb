"""Clips with targets over names: of every second where events are localised, of the clip where it is classified."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from ..shapes import shaped
from .source import Items


class ShotClip(NamedTuple):
    """Clip with one target per piece: as many pieces as seconds where events are localised, one where it is classified.

    Attributes:
        frames: One RGB frame per second.
        wave: One second of mono sound per second.
        target: 1 at the true labels of a piece; a row of zeros where none of the labels is true.
    """

    frames: Float[Tensor, "segment 3 height width"]
    wave: Float[Tensor, "segment sample"]
    target: Float[Tensor, "piece label"]


Target = Callable[[Any], Tensor]
"""Returns the target `(piece, label)` of an item of another data set."""


@shaped
def localised(labels: Int64[Tensor, " segment"], count: int) -> Float[Tensor, "segment label"]:
    """Returns a one-hot target per second.

    Args:
        labels: Class of every second.
        count: Labels, background included.
    """
    return F.one_hot(labels, count).float()


@shaped
def classified(labels: Int64[Tensor, " segment"], count: int, *, background: int) -> Float[Tensor, "1 label"]:
    """Returns the target of a whole clip: the class of its first second with an event; zeros if there is none.

    Args:
        labels: Class of every second.
        count: Labels of the target; background may be one of them, and is never the target.
        background: Index of background.
    """
    found = labels[labels != background][:1]
    return F.one_hot(found, count).sum(0, keepdim=True).float()


def first_of_each(labels: Iterable[Hashable | None], shots: int, classes: Sequence[Hashable]) -> list[int]:
    """Returns the places of the first `shots` items of every class, in the order of the items: the published choice.

    Args:
        labels: Class of every item, `None` for items that are never chosen. Read until every class has its items.
        shots: Items of a class; 0 takes every item that has a class.
        classes: The classes.

    Raises:
        ValueError: If `shots` is negative, or a class has no item.
    """
    if shots < 0:
        raise ValueError(f"first_of_each: shots={shots} must be at least 1, or 0 for all items.")
    found: list[int] = []
    counts = dict.fromkeys(classes, 0)
    for place, label in enumerate(labels):
        if label in counts and (not shots or counts[label] < shots):
            counts[label] += 1
            found.append(place)
        if shots and min(counts.values()) >= shots:
            break
    empty = [label for label, count in counts.items() if not count]
    if empty and (shots or not found):
        raise ValueError(
            f"first_of_each: shots={shots}, but the training split has no item of {empty[0]!r} ({len(empty)} such "
            "classes): complete the data."
        )
    return found


def told_fewer(labels: Iterable[Hashable | None], shots: int, classes: Sequence[Hashable]) -> list[str]:
    """Returns a sentence where classes have fewer items than are asked for: all of theirs are taken.

    Of a class without any there is none: `first_of_each` refuses it.

    Args:
        labels: Class of every item, as of `first_of_each`.
        shots: Items of a class that are asked for.
        classes: The classes.
    """
    counts = dict.fromkeys(classes, 0)
    for label in labels:
        if label in counts:
            counts[label] += 1
    fewer = [label for label, count in counts.items() if count < shots]
    if not fewer or not min(counts.values()):
        return []
    least = min(fewer, key=lambda label: counts[label])
    return [f"{len(fewer)} classes have fewer than {shots} training clips, {least!r} the fewest: {counts[least]}"]


class Shots(Dataset[ShotClip]):
    """Some items of another data set, with targets over names."""

    def __init__(self, items: Items, target: Target, classes: Sequence[str], *, chosen: Sequence[int] | None = None):
        """Chooses items.

        Args:
            items: Items with `frames` and `wave`.
            target: Target of an item.
            classes: Names of the labels.
            chosen: Places of the items; `None` for all.
        """
        self.items, self.target, self.classes = items, target, tuple(classes)
        self.chosen = range(len(items)) if chosen is None else chosen

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every item."""
        names = self.items.names
        return [names[place] for place in self.chosen]

    def check(self) -> dict[str, list[str]]:
        """Returns name → what is missing of it, where the data set can tell by names and sizes."""
        look: Callable[[], dict[str, list[str]]] | None = getattr(self.items, "check", None)
        return {} if look is None else look()

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> ShotClip:
        item: Any = self.items[self.chosen[index]]
        return ShotClip(item.frames, item.wave, self.target(item))


def shots_in_words(shots: int) -> str:
    """Returns how many clips of a class are trained on, in words."""
    return f"{shots} training clips of a class" if shots else "all training clips"
