"""Segment accuracy, what AVE reports: the share of one-second segments whose event class, or background, is right."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read

if TYPE_CHECKING:
    from .metric import CountMetric


class SegmentCounts(NamedTuple):
    """Counts right segments and all segments; counts of batches add up, entry by entry."""

    right: Int64[Tensor, ""]
    total: Int64[Tensor, ""]


class SegmentScores(NamedTuple):
    """Holds the share of right segments, in [0, 1]."""

    accuracy: Float[Tensor, ""]


@shaped
def segment_counts(predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"]) -> SegmentCounts:
    """Counts the segments whose predicted class equals the target's; background is a class like the others.

    Args:
        predicted: Predicted class indices.
        target: True class indices.
    """
    right = (predicted == target).sum()
    return SegmentCounts(right, torch.full_like(right, target.numel()))


def segment_scores(counts: SegmentCounts) -> SegmentScores:
    """Computes the accuracy from the `summed` counts of any batches.

    Args:
        counts: Sums of `segment_counts`.

    Raises:
        ValueError: If no segment was counted.
    """
    if not counts.total:
        raise ValueError("segment_scores: no segment was counted: pass the counts of one at least.")
    return SegmentScores(counts.right / counts.total)


def segment_metric(*, read: Read | None = None) -> "CountMetric[SegmentCounts]":
    """Builds segment accuracy as a torchmetrics `Metric`: `compute()` returns `{"accuracy": …}`.

    Args:
        read: Turns what `update` is called with into `(predicted, target)`; see `CountMetric`.
    """
    from .metric import CountMetric

    zero = SegmentCounts(torch.tensor(0), torch.tensor(0))
    return CountMetric(segment_counts, segment_scores, zero=zero, read=read)


@shaped
def segment_accuracy(predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"]) -> Float[Tensor, ""]:
    """Computes the share of right segments, in [0, 1], of all clips at once.

    Args:
        predicted: Predicted class indices.
        target: True class indices.

    Raises:
        ValueError: If there is no segment.
    """
    _check_some("segment_accuracy", target)
    return segment_scores(segment_counts(predicted, target)).accuracy


@shaped
def reference_segment_accuracy(
    predicted: Int[Tensor, "clip segment"], target: Int[Tensor, "clip segment"], *, batch_size: int
) -> Float[Tensor, ""]:
    """Computes what the released code reports: the unweighted mean of the accuracies of batches.

    It depends on `batch_size` where the last batch is smaller; with the released test batch of 1 it equals
    `segment_accuracy` (spec B.1). Use it to compare with published numbers only.

    Args:
        predicted: Predicted class indices.
        target: True class indices.
        batch_size: Clips a batch.

    Raises:
        ValueError: If there is no segment, or `batch_size` is not positive.
    """
    _check_some("reference_segment_accuracy", target)
    if batch_size < 1:
        raise ValueError(f"reference_segment_accuracy: batch_size={batch_size} must be at least 1.")
    right = (predicted == target).float()
    return torch.stack([batch.mean() for batch in torch.split(right, batch_size)]).mean()


@shaped
def majority_share(labels: Int[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Computes the share of the commonest label, in [0, 1]: the accuracy of the best constant prediction.

    Args:
        labels: Class indices, of any shape.

    Raises:
        ValueError: If there is no label.
    """
    _check_some("majority_share", labels)
    return (labels == labels.flatten().mode().values).float().mean()


def _check_some(function: str, labels: Tensor) -> None:
    if labels.numel() == 0:
        raise ValueError(f"{function}: the labels have the shape {tuple(labels.shape)}, without a segment: pass some.")
