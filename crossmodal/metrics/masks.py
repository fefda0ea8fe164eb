"""Segmentation of what sounds (AVS): how well the masks of frames are met, as M_J and M_F."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read, exact

if TYPE_CHECKING:
    from .metric import CountMetric

THRESHOLDS = 255
BETA_SQUARED = 0.3


class MaskCounts(NamedTuple):
    """Sums the scores of frames.

    Attributes:
        overlap: Intersections over unions, summed over all frames.
        frames: Number of frames.
        curve: F-measures at each of 255 thresholds, summed over the frames that show an object.
        shown: Number of frames that show an object.
    """

    overlap: Float[Tensor, ""]
    frames: Int64[Tensor, ""]
    curve: Float[Tensor, "255"]
    shown: Int64[Tensor, ""]


class MaskScores(NamedTuple):
    """Holds scores in [0, 1]; the published tables give percent.

    Attributes:
        overlap: M_J, the mean intersection over union of all frames.
        f_measure: M_F, the mean F-measure of the frames that show an object, at the threshold where it is largest.
    """

    overlap: Float[Tensor, ""]
    f_measure: Float[Tensor, ""]


@shaped
def mask_counts(
    probability: Float[Tensor, "frame height width"], target: Bool[Tensor, "frame height width"]
) -> MaskCounts:
    r"""Counts frames by how well their masks are met.

    Overlap: a pixel is predicted above 1/2. A frame that shows no object is scored by its background, the share of
    pixels that are not predicted. F-measure at each of 255 thresholds from 0 to 1, a pixel being predicted from the
    threshold on: $F = \frac{1.3\,P R}{0.3\,P + R}$, 0 without a true positive; frames that show no object are left out.

    Args:
        probability: Probability in [0, 1] that a pixel belongs to an object that sounds.
        target: Pixels of the objects that sound.

    Raises:
        ValueError: If a probability lies outside [0, 1] or is NaN.
    """
    _check_range("mask_counts", probability)
    shown = target.flatten(1).any(1)
    curve = f_curves(probability, target)[shown].sum(0)
    frames = torch.full((), len(target), dtype=torch.int64, device=target.device)
    return MaskCounts(overlaps(probability, target).sum(), frames, curve, shown.sum())


def mask_scores(counts: MaskCounts) -> MaskScores:
    """Computes M_J and M_F over all frames, with one threshold for all of them.

    Args:
        counts: Sums of `mask_counts`, over any batches.

    Returns:
        The scores; M_F is NaN where no frame shows an object.

    Raises:
        ValueError: If no frame was counted.
    """
    if not counts.frames:
        raise ValueError("mask_scores: no frame was counted: pass the counts of one at least.")
    return MaskScores(counts.overlap / counts.frames, (counts.curve / counts.shown).max())


def mask_metric(*, read: Read | None = None) -> "CountMetric[MaskCounts]":
    """Builds M_J and M_F as a torchmetrics `Metric`: `compute()` returns `{"overlap": …, "f_measure": …}`.

    Args:
        read: Turns what `update` is called with into `(probability, target)`; see `CountMetric`.
    """
    from .metric import CountMetric

    sums = torch.zeros(1 + THRESHOLDS, dtype=exact(torch.device("cpu")))
    zero = MaskCounts(sums[0], torch.tensor(0), sums[1:], torch.tensor(0))
    return CountMetric(mask_counts, mask_scores, zero=zero, read=read)


@shaped
def reference_mask_scores(
    probability: Float[Tensor, "frame height width"],
    target: Bool[Tensor, "frame height width"],
    *,
    batch_size: int = 20,
) -> MaskScores:
    """Computes what the released code reports: the unweighted means of the scores of batches of frames.

    Each batch takes the threshold that suits it best, so M_F depends on the batch size, and is never below
    `mask_scores` where batches are equal and all frames show an object; a batch that shows no object counts as 0.
    The released test batch is 4 clips of 5 frames. (Its 1e-7 below the fraction, which changes nothing, is left out.)
    Use it to compare with published numbers only.

    Args:
        probability: Probability in [0, 1] that a pixel belongs to an object that sounds.
        target: Pixels of the objects that sound.
        batch_size: Frames a batch.

    Raises:
        ValueError: If there is no frame, a probability lies outside [0, 1], or `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"reference_mask_scores: batch_size={batch_size} must be at least 1.")
    if not len(target):
        raise ValueError("reference_mask_scores: there is no frame: pass one at least.")
    batches = zip(torch.split(probability, batch_size), torch.split(target, batch_size), strict=True)
    scores = [mask_scores(mask_counts(*batch)) for batch in batches]
    overlap, f_measure = (torch.stack(column) for column in zip(*scores, strict=True))
    return MaskScores(overlap.mean(), f_measure.nan_to_num(nan=0.0).mean())


@shaped
def overlaps(
    probability: Float[Tensor, "frame height width"], target: Bool[Tensor, "frame height width"]
) -> Float[Tensor, " frame"]:
    """Computes the intersection over union of every frame; of the backgrounds where it shows no object.

    Args:
        probability: Probability in [0, 1] that a pixel belongs to an object that sounds.
        target: Pixels of the objects that sound.
    """
    predicted, true = (probability > 0.5).flatten(1), target.flatten(1)
    shown = true.any(1)
    inner = torch.where(shown, (predicted & true).sum(1), (~predicted).sum(1))
    outer = torch.where(shown, (predicted | true).sum(1), true.shape[1])
    return inner.to(exact(target.device)) / outer


@shaped
def f_curves(
    probability: Float[Tensor, "frame height width"], target: Bool[Tensor, "frame height width"]
) -> Float[Tensor, "frame 255"]:
    """Computes the F-measure of every frame at every threshold: 1.3 TP / (predicted + 0.3 true), as from P and R.

    Args:
        probability: Probability in [0, 1] that a pixel belongs to an object that sounds.
        target: Pixels of the objects that sound.
    """
    values = probability.flatten(1).to(torch.promote_types(probability.dtype, torch.float32)).contiguous()
    # the ends of the released range; made on the CPU, so that every device has the same thresholds
    thresholds = torch.linspace(0, 1 - 1e-10, THRESHOLDS, dtype=values.dtype).to(values.device)
    passed = torch.searchsorted(thresholds, values, right=True)  # how many thresholds let the pixel through
    predicted, right = _reaching(passed, torch.ones_like(target.flatten(1))), _reaching(passed, target.flatten(1))
    true = target.flatten(1).sum(1, keepdim=True).to(right.dtype)
    # at least one true pixel's worth: where nothing is predicted or true, 0 instead of 0 / 0
    return (1 + BETA_SQUARED) * right / (predicted + BETA_SQUARED * true).clamp(min=BETA_SQUARED)


def _reaching(passed: Tensor, kept: Tensor) -> Tensor:
    """Counts, of the pixels that are kept, those that reach each threshold: `(frame, threshold)`."""
    frames, bins = len(passed), THRESHOLDS + 1
    own = torch.arange(frames, device=passed.device)[:, None] * bins
    # One histogram for all frames: each has bins of its own. No (frame, pixel, threshold) tensor is formed.
    counts = torch.bincount((passed + own)[kept], minlength=frames * bins).view(frames, bins)
    return counts.flip(1).cumsum(1).flip(1)[:, 1:].to(exact(passed.device))


def _check_range(function: str, probability: Tensor) -> None:
    if not ((probability >= 0) & (probability <= 1)).all():
        low, high = probability.min().item(), probability.max().item()
        raise ValueError(
            f"{function}: probability lies in [{low:.4g}, {high:.4g}], expected [0, 1]: pass logits.sigmoid()."
        )
