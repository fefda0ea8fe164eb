"""Answers to questions about clips (AVQA): accuracy by what a question is about and what it asks for."""

import json
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read, exact

if TYPE_CHECKING:
    from pandas import DataFrame

    from .metric import CountMetric

QUESTION_KINDS = (
    ("Audio", "Counting"),
    ("Audio", "Comparative"),
    ("Visual", "Counting"),
    ("Visual", "Location"),
    ("Audio-Visual", "Existential"),
    ("Audio-Visual", "Counting"),
    ("Audio-Visual", "Location"),
    ("Audio-Visual", "Comparative"),
    ("Audio-Visual", "Temporal"),
)
"""The nine kinds of questions of MUSIC-AVQA, (modality, type), in the order of `AnswerCounts`."""


class AnswerCounts(NamedTuple):
    """Counts right answers and all questions of each of `QUESTION_KINDS`."""

    right: Int64[Tensor, "9"]
    total: Int64[Tensor, "9"]


class AnswerScores(NamedTuple):
    """Holds accuracies in [0, 1], NaN where no such question was asked; the published tables give percent.

    Attributes:
        kinds: Accuracy of each of `QUESTION_KINDS`.
        audio: Accuracy over all questions about the sound.
        visual: Accuracy over all questions about the image.
        audio_visual: Accuracy over all questions about both.
        average: Accuracy over all questions.
    """

    kinds: Float[Tensor, "9"]
    audio: Float[Tensor, ""]
    visual: Float[Tensor, ""]
    audio_visual: Float[Tensor, ""]
    average: Float[Tensor, ""]


def question_kind(written: str) -> int:
    """Returns the index in `QUESTION_KINDS` of a question's `type`.

    Args:
        written: The type as MUSIC-AVQA writes it: `'["Visual", "Location"]'`.

    Raises:
        ValueError: If there is no such kind.
    """
    try:
        return QUESTION_KINDS.index(tuple(json.loads(written)))
    except (ValueError, TypeError):
        kinds = ", ".join(json.dumps(kind) for kind in QUESTION_KINDS)
        raise ValueError(f"question_kind: {written!r} is none of the kinds {kinds}.") from None


@shaped
def answer_counts(
    predicted: Int[Tensor, " question"], target: Int[Tensor, " question"], kind: Int[Tensor, " question"]
) -> AnswerCounts:
    """Counts right answers by the kind of question.

    Args:
        predicted: Predicted answer indices.
        target: True answer indices.
        kind: Kind of every question, an index of `QUESTION_KINDS`.

    Raises:
        ValueError: If a kind is none of these indices.
    """
    if ((kind < 0) | (kind >= len(QUESTION_KINDS))).any():
        raise ValueError(
            f"answer_counts: kind holds {kind.min().item()} to {kind.max().item()}, expected indices of "
            f"QUESTION_KINDS, 0 to {len(QUESTION_KINDS) - 1}: take them from question_kind."
        )
    asked = kind[:, None] == torch.arange(len(QUESTION_KINDS), device=kind.device)
    return AnswerCounts((asked & (predicted == target)[:, None]).sum(0), asked.sum(0))


def answer_scores(counts: AnswerCounts) -> AnswerScores:
    """Computes accuracies: the published definition as it is.

    A modality's accuracy and the average pool their questions: they are not means of the kinds' accuracies.

    Args:
        counts: Sums of `answer_counts`, over any batches.

    Raises:
        ValueError: If no question was counted.
    """
    if not counts.total.sum():
        raise ValueError("answer_scores: no question was counted: pass the counts of one at least.")
    right, total = (column.to(exact(column.device)) for column in counts)

    def pooled(modality: str) -> Tensor:
        group = [asked == modality for asked, _ in QUESTION_KINDS]
        return right[group].sum() / total[group].sum()

    average = right.sum() / total.sum()
    return AnswerScores(right / total, pooled("Audio"), pooled("Visual"), pooled("Audio-Visual"), average)


def answer_columns(counts: AnswerCounts) -> dict[str, Tensor]:
    """Computes the accuracies by name.

    Args:
        counts: Sums of `answer_counts`, over any batches.

    Returns:
        `average`, `audio`, `visual`, `audio_visual`, and one entry a kind: `audio_counting`, ….

    Raises:
        ValueError: If no question was counted.
    """
    scores = answer_scores(counts)
    names = ["_".join(kind).lower().replace("-", "_") for kind in QUESTION_KINDS]
    pooled = {name: getattr(scores, name) for name in ("average", "audio", "visual", "audio_visual")}
    return pooled | dict(zip(names, scores.kinds, strict=True))


def answer_metric(*, read: Read | None = None) -> "CountMetric[AnswerCounts]":
    """Builds the accuracies as a torchmetrics `Metric`: `compute()` returns `answer_columns`.

    Args:
        read: Turns what `update` is called with into `(predicted, target, kind)`; see `CountMetric`.
    """
    from .metric import CountMetric

    zero = AnswerCounts(*torch.zeros(2, len(QUESTION_KINDS), dtype=torch.int64))
    return CountMetric(answer_counts, answer_columns, zero=zero, read=read)


def answer_table(counts: AnswerCounts) -> "DataFrame":
    """Builds a table of the accuracies in percent, a row a modality and a column a type.

    Args:
        counts: Sums of `answer_counts`, over any batches.

    Returns:
        A pandas table, NaN where nothing was asked: `to_string`, `to_markdown`, `to_latex` and `to_csv` write it.

    Raises:
        ValueError: If no question was counted.
    """
    import pandas

    scores = answer_scores(counts)
    kinds = list(zip(QUESTION_KINDS, scores.kinds.tolist(), strict=True))
    pooled = {"Audio": scores.audio, "Visual": scores.visual, "Audio-Visual": scores.audio_visual}
    rows = {
        modality: {kind: share for (asked, kind), share in kinds if asked == modality} | {"all": over_all.item()}
        for modality, over_all in pooled.items()
    }
    rows["Average"] = {"all": scores.average.item()}
    columns = [*dict.fromkeys(kind for _, kind in QUESTION_KINDS), "all"]
    return 100 * pandas.DataFrame.from_dict(rows, orient="index", columns=columns)
