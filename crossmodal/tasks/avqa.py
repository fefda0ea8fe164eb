"""Audio-visual question answering (AVQA): a question about a clip, and one word that answers it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crossmodal.data import Clip
from crossmodal.data.asked_clip import AskedClip, AskingClip, thinned
from crossmodal.data.asking_sources import AskedWorldSource, MusicAVQAFeatureSource, MusicAVQASource
from crossmodal.data.questions import typed_question, written_question
from crossmodal.data.source import Source
from crossmodal.drawing.answers import answer_figure
from crossmodal.heads.answers import DecodedAnswers
from crossmodal.metrics.answers import QUESTION_KINDS, AnswerCounts, answer_columns, answer_counts

from .settings import Settings
from .task import Row, Scores, Told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEGMENTS, SHOWN = 10, 4
NO_ANSWER = "(another answer)"
"""Written for a true answer that training does not know."""


class QuestionAnswering:
    """Task `avqa`: `AskedClip` batches, `DecodedAnswers` predictions, the share of right answers by kind."""

    name = "avqa"
    title = "Audio-visual questions"
    about = "Trains a system that answers questions about clips; tests it."
    monitor = "average"
    unit = "questions"
    system = "dg_sct"
    segments = SEGMENTS
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": AskedWorldSource, "music_avqa": MusicAVQASource, "features": MusicAVQAFeatureSource}
    )
    quick = Settings(optim={"lr": 1e-3, "decay": 0.5, "every": 2}, trainer={"max_epochs": 6}, data={"batch_size": 8})
    asks_for = ("QUESTION",)
    absent: Mapping[str, str] = MappingProxyType({"prepare": "MUSIC-AVQA is published as frames and sounds"})

    def scores(self) -> Scores:
        """Returns a new counter of right answers by kind and modality; of those alone that were asked."""
        from crossmodal.metrics.metric import CountMetric

        zero = AnswerCounts(*torch.zeros(2, len(QUESTION_KINDS), dtype=torch.int64))
        return CountMetric(answer_counts, asked_columns, zero=zero, read=_answers)

    def rows(self, prediction: DecodedAnswers, batch: AskedClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per question: its kind, its true answer, the predicted one and the score of that."""
        names = (*classes, NO_ANSWER)
        for item, label in enumerate(prediction.labels.tolist()):
            truth, kind = int(batch.answer[item]), int(batch.kind[item])
            columns = {
                "kind": " ".join(QUESTION_KINDS[kind]),
                "question": written_question(batch.question[item], classes),
                "truth": names[truth],
                "prediction": names[label],
                "score": float(prediction.probabilities[item, label]),
            }
            yield Row(item, float(truth == label), 1.0, columns)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the scores of the most frequent answer to questions of a kind that begin with the same two words.

        Neither the clip is looked at nor the rest of the question: “How many …” is answered by the commonest number.
        """
        counted: dict[tuple[str, str], Counter[str]] = {}
        for row in rows:
            beginning = " ".join(str(row.columns["question"]).split()[:2])
            counted.setdefault((str(row.columns["kind"]), beginning), Counter())[str(row.columns["truth"])] += 1
        kinds = [" ".join(kind) for kind in QUESTION_KINDS]
        right, total = torch.zeros(2, len(kinds), dtype=torch.int64)
        for (kind, _), answers in counted.items():
            # an answer that training does not know cannot be given
            right[kinds.index(kind)] += max((n for name, n in answers.items() if name != NO_ANSWER), default=0)
            total[kinds.index(kind)] += answers.total()
        return {name: float(value) for name, value in asked_columns(AnswerCounts(right, total)).items()}

    def draw(
        self, prediction: DecodedAnswers, item: Clip | AskedClip, classes: Sequence[str], *, start: int = 0
    ) -> "Figure":
        """Draws every question with its likeliest answers, where the sound was found, and when the question looked."""
        answers = [likeliest(row, classes) for row in prediction.probabilities]
        truths = [(*classes, NO_ANSWER)[int(item.answer)]] if isinstance(item, AskedClip) else []
        return answer_figure(
            [written_question(ids, classes) for ids in prediction.question],
            answers,
            truths=truths,
            where=prediction.where,
            when={"seen when": prediction.seen, "heard when": prediction.heard},
            start=start,
        )

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> AskingClip:
        """Returns a batch of one clip for each question, of ten seconds that are spread evenly over the clip's.

        Raises:
            ValueError: If there is no question.
        """
        if not words:
            raise ValueError(
                f"{self.name} predict: there is no question: write them behind the video, each in quotes, as in "
                f"`crossmodal {self.name} predict CLIP.mp4 'How many sounds are heard?'`."
            )
        questions = torch.stack([typed_question(text, classes) for text in words])
        frames, wave = (part.expand(len(words), *part.shape) for part in thinned(clip, SEGMENTS))
        return AskingClip(frames, wave, questions)

    def tell(self, windows: Sequence[tuple[Clip, DecodedAnswers]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields a line per question and window: the question as it was read, and the likeliest answers."""
        start = 0
        for clip, prediction in windows:
            for ids, row in zip(prediction.question, prediction.probabilities, strict=True):
                answers, question = likeliest(row, classes), written_question(ids, classes)
                said = ", ".join(f"{name} {value:.2f}" for name, value in answers.items())
                best, sure = next(iter(answers.items()))
                begins = {"begin": start, "end": start + len(clip.frames)}
                yield Told(
                    f"{start:5d}-{start + len(clip.frames)} s  {question:<44} {said}",
                    {**begins, "question": question, "answer": best, "probability": sure},
                )
            start += len(clip.frames)

    def labels(self, batch: AskedClip, classes: Sequence[str]) -> Tensor:
        """Returns the answer of every clip, `(clip, 1)`."""
        return batch.answer[:, None]


def asked_columns(counts: AnswerCounts) -> dict[str, Tensor]:
    """Computes the accuracies by name, without those of questions that were not asked."""
    return {name: value for name, value in answer_columns(counts).items() if not value.isnan()}


def likeliest(probabilities: Tensor, classes: Sequence[str]) -> dict[str, float]:
    """Returns the likeliest answers and their probabilities."""
    values, labels = probabilities.topk(min(SHOWN, len(probabilities)))
    return {classes[label]: value for value, label in zip(values.tolist(), labels.tolist(), strict=True)}


def _answers(prediction: DecodedAnswers, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Returns predicted and true answers, and the kinds of the questions."""
    return prediction.labels, batch.answer, batch.kind


TASK = QuestionAnswering()
