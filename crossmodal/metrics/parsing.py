"""Audio-visual parsing (AVVP): what is heard and what is seen in every segment, scored by segments and by events."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read, exact

if TYPE_CHECKING:
    from .metric import CountMetric


class Parsing(NamedTuple):
    """Marks what is audible and what is visible in each segment, class by class; several classes may hold at once."""

    audio: Bool[Tensor, "clip segment category"]
    visual: Bool[Tensor, "clip segment category"]


class ParsingCounts(NamedTuple):
    """Sums F-scores over clips, for audio, visual, audio-visual and Event@AV, and counts the clips."""

    segment_level: Float[Tensor, "4"]
    event_level: Float[Tensor, "4"]
    clips: Int64[Tensor, ""]


class LevelScores(NamedTuple):
    """Holds means over clips, in [0, 1]: the five columns of the published tables, there in percent.

    Attributes:
        audio: F-score of audible events.
        visual: F-score of visible events.
        audio_visual: F-score of events that are audible and visible at once.
        type_at_av: Mean of these three.
        event_at_av: F-score of audible and visible events counted together.
    """

    audio: Float[Tensor, ""]
    visual: Float[Tensor, ""]
    audio_visual: Float[Tensor, ""]
    type_at_av: Float[Tensor, ""]
    event_at_av: Float[Tensor, ""]


class ParsingScores(NamedTuple):
    """Holds the scores by segments, and by events (runs of segments)."""

    segment_level: LevelScores
    event_level: LevelScores


class ConfusionCounts(NamedTuple):
    """Counts true positives, false positives and false negatives of every clip and class."""

    true_positive: Int64[Tensor, "clip category"]
    false_positive: Int64[Tensor, "clip category"]
    false_negative: Int64[Tensor, "clip category"]


@shaped
def parsing_counts(predicted: Parsing, target: Parsing) -> ParsingCounts:
    r"""Scores each clip, $F = \frac{2TP}{2TP + FP + FN}$ a class, averaged over the classes predicted or true in it.

    A clip in which no class is predicted and none is true scores 1. Segment level counts segments. Event level counts
    events, runs of segments without a gap: a predicted event is right where a true event of its class and modality
    overlaps it by an intersection over union of at least 1/2, and then no other event can. Event@AV adds the counts of
    both modalities, class by class, before the division.

    Source: the evaluation of LLP (Tian et al., *Unified Multisensory Perception*, ECCV 2020), as DG-SCT runs it.

    Args:
        predicted: Decisions, not probabilities.
        target: The truth.
    """
    clips = torch.full((), len(target.audio), dtype=torch.int64, device=target.audio.device)
    return ParsingCounts(
        level_sums(predicted, target, segment_confusion), level_sums(predicted, target, event_confusion), clips
    )


def parsing_scores(counts: ParsingCounts) -> ParsingScores:
    """Computes the means over all clips: the published definition as it is.

    Args:
        counts: Sums of `parsing_counts`, over any batches.

    Raises:
        ValueError: If no clip was counted.
    """
    if not counts.clips:
        raise ValueError("parsing_scores: no clip was counted: pass the counts of one at least.")
    levels = []
    for sums in (counts.segment_level, counts.event_level):
        audio, visual, both, either = sums / counts.clips
        levels.append(LevelScores(audio, visual, both, (audio + visual + both) / 3, either))
    return ParsingScores(*levels)


def parsing_columns(counts: ParsingCounts) -> dict[str, Tensor]:
    """Computes the ten columns of the published tables, by name.

    Args:
        counts: Sums of `parsing_counts`, over any batches.

    Returns:
        `audio` to `event_at_av` by segments, and `audio_events` to `event_at_av_events` by events.

    Raises:
        ValueError: If no clip was counted.
    """
    scores = parsing_scores(counts)
    by_event = {f"{name}_events": score for name, score in scores.event_level._asdict().items()}
    return scores.segment_level._asdict() | by_event


def parsing_metric(*, read: Read | None = None) -> "CountMetric[ParsingCounts]":
    """Builds the parsing scores as a torchmetrics `Metric`: `compute()` returns `parsing_columns`.

    Args:
        read: Turns what `update` is called with into two `Parsing`s, predicted and target; see `CountMetric`.
    """
    from .metric import CountMetric

    sums = torch.zeros(2, 4, dtype=exact(torch.device("cpu")))
    zero = ParsingCounts(sums[0], sums[1], torch.tensor(0))
    return CountMetric(parsing_counts, parsing_columns, zero=zero, read=read)


def level_sums(
    predicted: Parsing, target: Parsing, confuse: Callable[[Tensor, Tensor], ConfusionCounts]
) -> Float[Tensor, "4"]:
    """Sums F-scores over clips: of what is audible, visible, both at once, and of the counts of both together.

    Args:
        predicted: Decisions, not probabilities.
        target: The truth.
        confuse: Counts true and false positives and false negatives, by segments or by events.
    """
    audio, visual = confuse(predicted.audio, target.audio), confuse(predicted.visual, target.visual)
    both = confuse(predicted.audio & predicted.visual, target.audio & target.visual)
    either = ConfusionCounts._make(heard + seen for heard, seen in zip(audio, visual, strict=True))
    return torch.stack([mean_f_score(counts).sum() for counts in (audio, visual, both, either)])


@shaped
def segment_confusion(
    predicted: Bool[Tensor, "clip segment category"], target: Bool[Tensor, "clip segment category"]
) -> ConfusionCounts:
    """Counts segments, class by class."""
    return ConfusionCounts((predicted & target).sum(1), (predicted & ~target).sum(1), (~predicted & target).sum(1))


@shaped
def event_confusion(
    predicted: Bool[Tensor, "clip segment category"], target: Bool[Tensor, "clip segment category"]
) -> ConfusionCounts:
    """Counts events, class by class: runs of segments, right at an intersection over union of at least 1/2."""
    (start, stop), (true_start, true_stop) = runs(predicted), runs(target)
    inner = torch.minimum(stop, true_stop) - torch.maximum(start, true_start)
    outer = torch.maximum(stop, true_stop) - torch.minimum(start, true_start)
    time = torch.arange(predicted.shape[1], device=predicted.device)[:, None]
    first = time == torch.maximum(start, true_start)  # so that two events that meet are counted once
    right = (predicted & target & first & (2 * inner >= outer)).sum(1)  # IoU ≥ 1/2 in whole numbers: no rounding
    events, true_events = (
        (found & (time == begin)).sum(1) for found, begin in ((predicted, start), (target, true_start))
    )
    return ConfusionCounts(right, events - right, true_events - right)


def runs(found: Bool[Tensor, "clip segment category"]) -> tuple[Tensor, Tensor]:
    """Computes, for every segment that is found, where its run starts and where it stops (the first one after)."""
    # The last gap before a segment and the first one behind it, by running extrema: no loop over events.
    segments = found.shape[1]
    time = torch.arange(segments, device=found.device)[:, None].expand_as(found)
    if not found.numel():
        return time, time
    gap_before = torch.where(found, -1, time).cummax(1).values
    gap_after = torch.where(found, segments, time).flip(1).cummin(1).values.flip(1)
    return gap_before + 1, gap_after


def mean_f_score(counts: ConfusionCounts) -> Float[Tensor, " clip"]:
    """Computes the F-score of each clip: the mean over its classes predicted or true; 1 where there is none."""
    right, wrong = 2 * counts.true_positive, counts.false_positive + counts.false_negative
    occurs = right + wrong > 0
    of_class = right.to(exact(right.device)) / (right + wrong).clamp(min=1)
    classes = occurs.sum(1)
    return torch.where(classes > 0, of_class.sum(1) / classes.clamp(min=1), 1.0)
