"""Classification of clips that have several labels (LLP): how often the best-scored class is one of them."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..shapes import shaped


class HitCounts(NamedTuple):
    """Clips that were hit, and all clips."""

    hit: Int64[Tensor, ""]
    total: Int64[Tensor, ""]


@shaped
def hit_counts(scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]) -> HitCounts:
    """Counts the clips whose best-scored category is one of their labels.

    Raises `ValueError` where a clip has no label, which nothing could hit.
    """
    _check_labelled("hit_counts", target)
    hit = target.gather(1, scores.argmax(1, keepdim=True)).sum()
    return HitCounts(hit, torch.full_like(hit, len(target)))


@shaped
def hit_accuracy(scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]) -> Float[Tensor, ""]:
    """The share of clips that were hit, in [0, 1]: of all clips at once, or from `summed` counts, the same number.

    Raises `ValueError` where there is no clip, or a clip has no label.
    """
    if not len(target):
        raise ValueError("hit_accuracy: there is no clip: pass one at least.")
    counts = hit_counts(scores, target)
    return counts.hit / counts.total


@shaped
def reference_hit_accuracy(
    scores: Float[Tensor, "clip category"], target: Bool[Tensor, "clip category"]
) -> Float[Tensor, ""]:
    """What the released code reports on LLP: only the label of the lowest index counts as a hit.

    It depends on the order of the categories, and a model that finds any other label is wrong: two thirds of LLP's test
    clips have several (797 of 1200). Use it to compare with published numbers only.

    Raises `ValueError` as `hit_accuracy` does.
    """
    if not len(target):
        raise ValueError("reference_hit_accuracy: there is no clip: pass one at least.")
    _check_labelled("reference_hit_accuracy", target)
    lowest = (target.cumsum(1) == 0).sum(1)
    return (scores.argmax(1) == lowest).float().mean()


def _check_labelled(function: str, target: Tensor) -> None:
    bare = (~target.any(1)).nonzero().flatten().tolist()
    if bare:
        raise ValueError(f"{function}: clip {bare[0]} has no label (one of {len(bare)}): leave such clips out.")
