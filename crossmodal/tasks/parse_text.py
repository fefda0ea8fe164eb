"""Parses of clips in words: `0-4 Speech, 2-5 Dog`, as `predictions.csv` keeps them."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from crossmodal.drawing.span_strips import spans

SEPARATOR = "; "


def parse_in_words(marks: Bool[Tensor, "segment category"], classes: Sequence[str]) -> str:
    """Returns the events of one modality, each with its first second and the one after its last.

    Args:
        marks: What holds in which second.
        classes: Names of the categories.
    """
    found = [(first, last, name) for at, name in enumerate(classes) for first, last in spans(marks[:, at].tolist())]
    return SEPARATOR.join(f"{first}-{last} {name}" for first, last, name in sorted(found))


def parse_from_words(text: str, classes: Sequence[str], segments: int) -> Bool[Tensor, "segment category"]:
    """Returns the marks of `parse_in_words`."""
    marks = torch.zeros(segments, len(classes), dtype=torch.bool)
    for event in filter(None, text.split(SEPARATOR)):
        seconds, _, name = event.partition(" ")
        first, last = map(int, seconds.split("-"))
        marks[first:last, classes.index(name)] = True
    return marks
