"""Answers to questions about clips (AVQA): accuracy by what a question is about and what it asks for."""

import json
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import exact

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
    """Right answers and all questions of each of `QUESTION_KINDS`."""

    right: Int64[Tensor, "9"]
    total: Int64[Tensor, "9"]


class AnswerScores(NamedTuple):
    """Accuracies in [0, 1], NaN where no such question was asked; the published tables give percent.

    - `kinds`: of each of `QUESTION_KINDS`.
    - `audio`, `visual`, `audio_visual`: over the questions of a modality. `average`: over all questions.
    """

    kinds: Float[Tensor, "9"]
    audio: Float[Tensor, ""]
    visual: Float[Tensor, ""]
    audio_visual: Float[Tensor, ""]
    average: Float[Tensor, ""]


def question_kind(written: str) -> int:
    """The index in `QUESTION_KINDS` of a question's `type` as MUSIC-AVQA writes it: `'["Visual", "Location"]'`.

    Raises `ValueError` where there is no such kind.
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
    """Counts right answers by the kind of question, an index of `QUESTION_KINDS`.

    Raises `ValueError` where a kind is none of these indices.
    """
    if ((kind < 0) | (kind >= len(QUESTION_KINDS))).any():
        raise ValueError(
            f"answer_counts: kind holds {kind.min().item()} to {kind.max().item()}, expected indices of "
            f"QUESTION_KINDS, 0 to {len(QUESTION_KINDS) - 1}: take them from question_kind."
        )
    asked = kind[:, None] == torch.arange(len(QUESTION_KINDS), device=kind.device)
    return AnswerCounts((asked & (predicted == target)[:, None]).sum(0), asked.sum(0))


def answer_scores(counts: AnswerCounts) -> AnswerScores:
    """Accuracies from the `summed` counts of any batches; they are the published definition as it is.

    A modality's accuracy and the average pool their questions: they are not means of the kinds' accuracies.

    Raises `ValueError` where no question was counted.
    """
    if not counts.total.sum():
        raise ValueError("answer_scores: no question was counted: pass the counts of one at least.")
    right, total = (column.to(exact(column.device)) for column in counts)

    def pooled(modality: str) -> Tensor:
        group = [asked == modality for asked, _ in QUESTION_KINDS]
        return right[group].sum() / total[group].sum()

    average = right.sum() / total.sum()
    return AnswerScores(right / total, pooled("Audio"), pooled("Visual"), pooled("Audio-Visual"), average)


def answer_table(counts: AnswerCounts) -> str:
    """The accuracies in percent as a table, a row a modality and a column a type; `–` where nothing was asked."""
    scores = answer_scores(counts)
    of_kind = dict(zip(QUESTION_KINDS, scores.kinds.tolist(), strict=True))
    types = list(dict.fromkeys(kind for _, kind in QUESTION_KINDS))
    pooled = {"Audio": scores.audio, "Visual": scores.visual, "Audio-Visual": scores.audio_visual}
    lines = ["".join(["".ljust(14), *(name.rjust(13) for name in [*types, "all"])])]
    for modality, over_all in pooled.items():
        cells = [of_kind.get((modality, kind), float("nan")) for kind in types] + [over_all.item()]
        lines.append(modality.ljust(14) + "".join(_percent(cell).rjust(13) for cell in cells))
    return "\n".join([*lines, "Average".ljust(14) + _percent(scores.average.item()).rjust(13 * (len(types) + 1))])


def _percent(share: float) -> str:
    return "–" if share != share else f"{100 * share:.2f}"
