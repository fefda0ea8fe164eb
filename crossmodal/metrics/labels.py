"""Classification of clips that have several labels (LLP): how often the best-scored class is one of them."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read

if TYPE_CHECKING:
    from .metric import CountMetric


class HitCounts(NamedTuple):
    """Counts clips that were hit, and all clips."""

    hit: Int64[Tensor, ""]
    total: Int64[Tensor, ""]


class HitScores(NamedTuple):
    """Holds the share of clips that were hit, in [0, 1]."""

    accuracy: Float[Tensor, ""]


@shaped
def hit_counts(scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]) -> HitCounts:
    """Counts the clips whose best-scored category is one of their labels.

    Args:
        scores: A score for every category; higher is likelier.
        target: Labels of every clip, at least one.

    Raises:
        ValueError: If a clip has no label, which nothing could hit, or a score is NaN, which would be the best of all.
    """
    _check_labelled("hit_counts", target)
    _check_numbers("hit_counts", scores)
    hit = target.gather(1, scores.argmax(1, keepdim=True)).sum()
    return HitCounts(hit, torch.full_like(hit, len(target)))


def hit_scores(counts: HitCounts) -> HitScores:
    """Computes the accuracy from the `summed` counts of any batches.

    Args:
        counts: Sums of `hit_counts`.

    Raises:
        ValueError: If no clip was counted.
    """
    if not counts.total:
        raise ValueError("hit_scores: no clip was counted: pass the counts of one at least.")
    return HitScores(counts.hit / counts.total)


def hit_metric(*, read: Read | None = None) -> "CountMetric[HitCounts]":
    """Builds hit accuracy as a torchmetrics `Metric`: `compute()` returns `{"accuracy": …}`.

    Args:
        read: Turns what `update` is called with into `(scores, target)`; see `CountMetric`.
    """
    from .metric import CountMetric

    return CountMetric(hit_counts, hit_scores, zero=HitCounts(torch.tensor(0), torch.tensor(0)), read=read)


@shaped
def hit_accuracy(scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]) -> Float[Tensor, ""]:
    """Computes the share of clips that were hit, in [0, 1], of all clips at once.

    Args:
        scores: A score for every category; higher is likelier.
        target: Labels of every clip, at least one.

    Raises:
        ValueError: If there is no clip, a clip has no label, or a score is NaN.
    """
    if not len(target):
        raise ValueError("hit_accuracy: there is no clip: pass one at least.")
    return hit_scores(hit_counts(scores, target)).accuracy


@shaped
def reference_hit_accuracy(
    scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]
) -> Float[Tensor, ""]:
    """Computes what the released code reports on LLP: only the label of the lowest index counts as a hit.

    It depends on the order of the categories, and a model that finds any other label is wrong: two thirds of LLP's test
    clips have several (797 of 1200). Use it to compare with published numbers only.

    Args:
        scores: A score for every category; higher is likelier.
        target: Labels of every clip, at least one.

    Raises:
        ValueError: If there is no clip, a clip has no label, or a score is NaN.
    """
    if not len(target):
        raise ValueError("reference_hit_accuracy: there is no clip: pass one at least.")
    _check_labelled("reference_hit_accuracy", target)
    _check_numbers("reference_hit_accuracy", scores)
    lowest = (target.cumsum(1) == 0).sum(1)  # as many categories as come before the first label
    return (scores.argmax(1) == lowest).float().mean()


def _check_numbers(function: str, scores: Tensor) -> None:
    if scores.isnan().any():
        raise ValueError(f"{function}: {int(scores.isnan().sum())} of {scores.numel()} scores are NaN.")


def _check_labelled(function: str, target: Tensor) -> None:
    bare = (~target.any(1)).nonzero().flatten().tolist()
    if bare:
        raise ValueError(f"{function}: clip {bare[0]} has no label (one of {len(bare)}): leave such clips out.")
