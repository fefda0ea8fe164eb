"""Objectives of per-segment scores: against the class of every second, or of the clip alone (weak supervision).

Scores are `(clip, segment, label)` with background as the last label; labels are classes per segment, from which the
weak objectives read only what the clip shows: a clip whose seconds are all background is a clip of background.
They are annotated as plain tensors, so that the command line takes them by name: `--model.objective`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from ..precision import without_autocast
from ..shapes import shaped
from .events import relevance_losses

Objective = Callable[[Tensor, Tensor], Tensor]
"""Computes a loss from scores `(clip, segment, label)` and classes `(clip, segment)`."""


@shaped
def segment_cross_entropy(scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]) -> Tensor:
    """Computes the cross-entropy of every segment."""
    return F.cross_entropy(scores.flatten(0, 1), labels.flatten())


@shaped
def segment_binary_cross_entropy(
    scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]
) -> Tensor:
    """Computes LAVisH's published loss: the binary cross-entropy of softmax probabilities against the one-hot label.

    It is a mean over segments and labels, so its gradients are about as many times smaller as there are labels.
    """
    with without_autocast(scores.device):  # torch refuses a cross-entropy of probabilities under autocast
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        targets = F.one_hot(labels, scores.shape[2]).to(exact.dtype)
        return F.binary_cross_entropy(exact.softmax(2), targets)


@shaped
def segment_margin(scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]) -> Tensor:
    """Computes AVEL's published loss: the multi-label soft margin of softmax probabilities, squashed a second time.

    It lives between 0.680 (perfect) and 0.7145 (certain and wrong) for 29 labels, so its gradients are tiny.
    """
    return F.multilabel_soft_margin_loss(
        scores.softmax(2).flatten(0, 1), F.one_hot(labels, scores.shape[2]).flatten(0, 1).to(scores.dtype)
    )


@shaped
def clip_cross_entropy(scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]) -> Tensor:
    """Computes the cross-entropy of the maximum over time against what the clip shows.

    Args:
        scores: Of every segment.
        labels: Class of every segment; of several events in a clip, the one with the lowest index counts.
    """
    return F.cross_entropy(scores.amax(1), clip_labels(labels, scores.shape[2]).argmax(1))


@shaped
def mean_cross_entropy(scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]) -> Tensor:
    """Computes the same of the mean over time, by which AVEL's paper pools."""
    return F.cross_entropy(scores.mean(1), clip_labels(labels, scores.shape[2]).argmax(1))


@shaped
def clip_margin(scores: Float[Tensor, "clip segment label"], labels: Int64[Tensor, "clip segment"]) -> Tensor:
    """Computes the published weak loss: the multi-label soft margin of the softmax of the maximum over time.

    As in `segment_margin`, the probabilities are squashed once more.
    """
    targets = clip_labels(labels, scores.shape[2]).to(scores.dtype)
    return F.multilabel_soft_margin_loss(scores.amax(1).softmax(1), targets)


@shaped
def clip_labels(labels: Int64[Tensor, "clip segment"], count: int) -> Int64[Tensor, "clip label"]:
    """Returns the labels of clips, zeros and ones: the events that they show, or background where they show none.

    Args:
        labels: Class of every segment.
        count: Number of labels; the last is background.
    """
    shown = F.one_hot(labels, count).amax(1)
    silent = shown[:, :-1].sum(1, keepdim=True) == 0
    return torch.cat([shown[:, :-1], silent.to(shown.dtype)], dim=1)


class FullSupervision:
    """Supervision of systems that say when and what, by the class of every segment: two cross-entropies.

    Attributes:
        extra_labels: Labels of a clip besides the events.
    """

    extra_labels = 0

    def __call__(self, relevance: Tensor, event: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Returns the losses of `relevance_losses`."""
        return relevance_losses(relevance, event, labels)


class WeakSupervision:
    """Supervision of systems that say when and what, by the label of the clip alone, which may be background.

    The score of a label in a segment is the segment's relevance, a probability, times the clip's logit. Where a logit
    is negative, its maximum over time is therefore that of the least relevant segment, as in the released codes.

    Attributes:
        extra_labels: Labels of a clip besides the events: background.
    """

    extra_labels = 1

    def __init__(self, criterion: Objective = clip_cross_entropy):
        """Sets the loss.

        Args:
            criterion: Loss of the scores; `clip_margin` is the published one.
        """
        self.criterion = criterion

    def __call__(self, relevance: Tensor, event: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Returns the criterion's loss of the products."""
        return {"clip": self.criterion(relevance.sigmoid()[:, :, None] * event[:, None], labels)}


Supervision = FullSupervision | WeakSupervision
