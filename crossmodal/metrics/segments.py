"""Segment accuracy, what AVE reports: the share of one-second segments whose event class, or background, is right."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from ..shapes import shaped


class SegmentCounts(NamedTuple):
    """Right segments and all segments; counts of batches add up, entry by entry."""

    right: Int64[Tensor, ""]
    total: Int64[Tensor, ""]


@shaped
def segment_counts(predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"]) -> SegmentCounts:
    """Counts the segments whose predicted class index equals the target's; background is a class like the others."""
    right = (predicted == target).sum()
    return SegmentCounts(right, torch.full_like(right, target.numel()))


@shaped
def segment_accuracy(predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"]) -> Float[Tensor, ""]:
    """The share of right segments, in [0, 1]: of all clips at once, or from summed `segment_counts`, the same number.

    Raises `ValueError` where there is no segment.
    """
    counts = segment_counts(predicted, target)
    _check_some("segment_accuracy", target)
    return counts.right / counts.total


@shaped
def reference_segment_accuracy(
    predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"], *, batch_size: int
) -> Float[Tensor, ""]:
    """What the released code reports: the unweighted mean of the accuracies of batches of `batch_size` clips.

    It depends on `batch_size` where the last batch is smaller; with the released test batch of 1 it equals
    `segment_accuracy` (spec B.1). Use it to compare with published numbers only.

    Raises `ValueError` where there is no segment, or `batch_size` is not positive.
    """
    _check_some("reference_segment_accuracy", target)
    if batch_size < 1:
        raise ValueError(f"reference_segment_accuracy: batch_size={batch_size} must be at least 1.")
    right = (predicted == target).float()
    return torch.stack([batch.mean() for batch in torch.split(right, batch_size)]).mean()


@shaped
def majority_share(labels: Int[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """The share of the commonest label, in [0, 1]: the accuracy of the best constant prediction on these labels.

    Raises `ValueError` where there is no label.
    """
    _check_some("majority_share", labels)
    return (labels == labels.flatten().mode().values).float().mean()


def _check_some(function: str, labels: Tensor) -> None:
    if labels.numel() == 0:
        raise ValueError(f"{function}: the labels have the shape {tuple(labels.shape)}, without a segment: pass some.")
