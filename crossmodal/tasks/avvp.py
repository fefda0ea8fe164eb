"""Audio-visual video parsing (AVVP): what is heard and what is seen in every second, learnt from labels of clips."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crossmodal.data import Clip
from crossmodal.data.parsed_clip import MovingClip, ParsedClip, of_length, without_motion
from crossmodal.data.parsing_sources import LLPFeatureSource, LLPSource, ParsedWorldSource
from crossmodal.data.source import Source
from crossmodal.drawing.span_strips import span_strips, spans
from crossmodal.heads.parsing import DecodedParsing
from crossmodal.metrics import Parsing, parsing_columns, parsing_counts, parsing_metric, summed

from .parse_text import parse_from_words, parse_in_words
from .settings import Settings
from .task import Row, Scores, Told, refuse_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEGMENTS = 10


class VideoParsing:
    """Task `avvp`: `ParsedClip` batches, `DecodedParsing` predictions, F-scores by segments and by events."""

    name = "avvp"
    title = "Audio-visual parsing"
    about = "Trains a system that parses clips into what is heard and what is seen; tests it."
    monitor = "type_at_av"
    unit = "clips"
    scores_are_shares = False  # of F-scores and overlaps, not of right answers
    system = "dg_sct"
    segments = SEGMENTS
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": ParsedWorldSource, "llp": LLPSource, "features": LLPFeatureSource}
    )
    # MGN's and DG-SCT's head of twelve transformer blocks does not learn at 2e-3; this is the published rate of both
    quick = Settings(optim={"lr": 3e-4, "decay": 0.5, "every": 2}, trainer={"max_epochs": 4}, data={"batch_size": 8})
    absent: Mapping[str, str] = MappingProxyType({})

    def scores(self) -> Scores:
        """Returns a new counter of the ten scores of the published tables."""
        return parsing_metric(read=_parsings)

    def rows(self, prediction: DecodedParsing, batch: ParsedClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per clip: its parse, true and predicted, and its segment-level Type@AV."""
        for item in range(len(batch.audio)):
            found, truth = (
                Parsing(*(marks[item : item + 1] for marks in both)) for both in _parsings(prediction, batch)
            )
            value = float(parsing_columns(parsing_counts(found, truth))["type_at_av"])
            columns = {
                f"{name}{which}": parse_in_words(getattr(parsing, modality)[0], classes)
                for which, parsing in (("_truth", truth), ("", found))
                for name, modality in (("heard", "audio"), ("seen", "visual"))
            }
            yield Row(item, value, 1.0, columns)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the scores of the most frequent category in every second, heard and seen, of every clip."""
        words = [(str(row.columns["heard_truth"]), str(row.columns["seen_truth"])) for row in rows]
        names = [event.split(" ", 1)[1] for both in words for text in both for event in text.split("; ") if event]
        classes = sorted(set(names)) or ["nothing"]
        best = max(classes, key=names.count)
        guess = torch.tensor([name == best for name in classes]).expand(1, SEGMENTS, -1)
        counts = []
        for heard, seen in words:
            truth = Parsing(*(parse_from_words(text, classes, SEGMENTS)[None] for text in (heard, seen)))
            counts.append(parsing_counts(Parsing(guess, guess), truth))
        return {name: float(value) for name, value in parsing_columns(summed(counts)).items()}

    def draw(
        self, prediction: DecodedParsing, item: Clip | ParsedClip, classes: Sequence[str], *, start: int = 0
    ) -> "Figure":
        """Draws three strips, what is heard, seen, and both at once, with the truth above where it is known."""
        seconds = len(item.frames)
        kinds = {"predicted": (prediction.audio[0, :seconds], prediction.visual[0, :seconds])}
        if isinstance(item, ParsedClip):
            kinds = {"truth": (item.audio, item.visual), **kinds}
        strips: dict[str, dict[str, dict[str, list[bool]]]] = {"heard": {}, "seen": {}, "heard and seen": {}}
        for at, label in enumerate(classes):
            for title, choose in zip(strips, (_heard, _seen, _both), strict=True):
                marks = {kind: choose(*both)[:, at].tolist() for kind, both in kinds.items()}
                if any(map(any, marks.values())):
                    strips[title][label] = marks
        return span_strips(strips, labels=classes, start=start)

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> MovingClip:
        """Returns the batch of one clip; a shorter one repeats its last frame and is silent to the end."""
        refuse_words(self.name, words)
        return MovingClip(*(part[None] for part in without_motion(of_length(clip, SEGMENTS))))

    def tell(self, windows: Sequence[tuple[Clip, DecodedParsing]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields a line per event: its seconds, whether it is heard or seen, and how sure the system is of it."""
        start = 0
        for clip, prediction in windows:
            for word in ("audio", "visual"):
                marks, scores = getattr(prediction, word)[0], getattr(prediction, f"{word}_scores")[0]
                for at, label in enumerate(classes):
                    for first, last in spans(marks[: len(clip.frames), at].tolist()):
                        sure = float(scores[first:last, at].mean().clamp(max=1))
                        verb = "heard" if word == "audio" else "seen"
                        line = f"{start + first:5d}-{start + last} s  {verb:<6} {label:<28} {sure:.2f}"
                        begins = {"begin": start + first, "end": start + last}
                        yield Told(line, {**begins, "modality": word, "event": label, "score": sure})
            start += len(clip.frames)

    def labels(self, batch: ParsedClip, classes: Sequence[str]) -> Tensor:
        """Returns the one category that is heard and seen in a second; the number of classes for none or several."""
        both = batch.audio & batch.visual
        return torch.where(both.sum(2) == 1, both.int().argmax(2), len(classes))


def _parsings(prediction: DecodedParsing, batch: Any) -> tuple[Parsing, Parsing]:
    """Returns the predicted and the true parse."""
    return Parsing(prediction.audio, prediction.visual), Parsing(batch.audio, batch.visual)


def _heard(audio: Tensor, visual: Tensor) -> Tensor:
    return audio


def _seen(audio: Tensor, visual: Tensor) -> Tensor:
    return visual


def _both(audio: Tensor, visual: Tensor) -> Tensor:
    return audio & visual


TASK = VideoParsing()
