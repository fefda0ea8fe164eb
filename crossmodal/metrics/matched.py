"""Accuracy of pieces that may have several true labels: seconds, or whole clips."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read

if TYPE_CHECKING:
    from .metric import CountMetric


class MatchedCounts(NamedTuple):
    """Counts pieces: those whose best label is the first true one, those whose best label is any true one, all."""

    first: Int64[Tensor, ""]
    any: Int64[Tensor, ""]
    total: Int64[Tensor, ""]


class MatchedScores(NamedTuple):
    """Holds shares of pieces, in [0, 1].

    Attributes:
        accuracy: Best label is the true one of the lowest index, as the released code counts: of a clip with several
            labels the others count as wrong, and a piece without any as label 0.
        any_label: Best label is one of the true ones.
    """

    accuracy: Float[Tensor, ""]
    any_label: Float[Tensor, ""]


@shaped
def matched_counts(
    scores: Float[Tensor, "clip piece label"], target: Float[Tensor, "clip piece target"]
) -> MatchedCounts:
    """Counts right pieces.

    Args:
        scores: Of every label.
        target: 1 at the true labels; it may have labels behind those of the scores, which are never right.

    Raises:
        ValueError: If a score is NaN, which would be the best of all.
    """
    if scores.isnan().any():
        raise ValueError(f"matched_counts: {int(scores.isnan().sum())} of {scores.numel()} scores are NaN.")
    best = scores.argmax(-1)
    first = (best == target.argmax(-1)).sum()
    hit = target.gather(-1, best[..., None]).bool().sum()
    return MatchedCounts(first, hit, torch.full_like(first, best.numel()))


def matched_scores(counts: MatchedCounts) -> MatchedScores:
    """Computes the shares from the `summed` counts of any batches.

    Args:
        counts: Sums of `matched_counts`.

    Raises:
        ValueError: If no piece was counted.
    """
    if not counts.total:
        raise ValueError("matched_scores: no piece was counted: pass the counts of one at least.")
    return MatchedScores(counts.first / counts.total, counts.any / counts.total)


def matched_metric(*, read: Read | None = None) -> "CountMetric[MatchedCounts]":
    """Builds both shares as a torchmetrics `Metric`.

    Args:
        read: Turns what `update` is called with into `(scores, target)`; see `CountMetric`.
    """
    from .metric import CountMetric

    zero = MatchedCounts(torch.tensor(0), torch.tensor(0), torch.tensor(0))
    return CountMetric(matched_counts, matched_scores, zero=zero, read=read)
