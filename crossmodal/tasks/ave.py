"""Audio-visual event localisation (AVE): the event of every second that is both audible and visible."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from torch import Tensor

from crossmodal.data import Clip, LabelledClip
from crossmodal.data.ave_features import AVEFeatureSource
from crossmodal.data.folder.source import FolderSource
from crossmodal.data.source import AVESource, Source, WorldSource
from crossmodal.drawing import label_strips
from crossmodal.heads.events import DecodedEvents
from crossmodal.metrics import segment_metric

from .settings import Settings
from .task import Row, Scores, Told, refuse_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKGROUND = "background"


class EventLocalization:
    """Task `ave`: `LabelledClip` batches, `DecodedEvents` predictions, the share of right segments."""

    name = "ave"
    title = "Audio-visual events"
    about = "Trains a system that localises audio-visual events; tests it."
    monitor = "accuracy"
    unit = "segments"
    system = "dg_sct"
    segments = 10
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": WorldSource, "ave": AVESource, "folder": FolderSource, "features": AVEFeatureSource}
    )
    quick = Settings(
        optim={"lr": 2e-3, "decay": 0.5, "every": 1, "schedule": None},
        trainer={"max_epochs": 4},
        data={"batch_size": 8},
    )
    absent: Mapping[str, str] = MappingProxyType({})

    def scores(self) -> Scores:
        """Returns a new counter of right segments."""
        return segment_metric(read=_labels)

    def rows(self, prediction: DecodedEvents, batch: LabelledClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per segment: its truth, its predicted label and the score of that."""
        names = (*classes, BACKGROUND)
        of_clips = zip(*(part.tolist() for part in (batch.labels, *prediction)), strict=True)
        for item, columns in enumerate(of_clips):
            for segment, (truth, label, score) in enumerate(zip(*columns, strict=True)):
                written = {"segment": segment, "truth": names[truth], "prediction": names[label], "score": score}
                yield Row(item, float(truth == label), 1.0, written)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the accuracy of the most frequent label."""
        return {"accuracy": most_frequent(rows)}

    def draw(
        self, prediction: DecodedEvents, item: Clip | LabelledClip, classes: Sequence[str], *, start: int = 0
    ) -> "Figure":
        """Draws the predicted label of every second, under the true one where it is known."""
        labels, scores = prediction.labels[0].tolist(), prediction.confidence[0].tolist()
        truth = item.labels.tolist() if isinstance(item, LabelledClip) else None
        rows = {"predicted": labels} if truth is None else {"truth": truth, "predicted": labels}
        # nothing is called wrong where nothing is known
        wrong = None if truth is None else {"predicted": [a != b for a, b in zip(labels, truth, strict=True)]}
        return label_strips(rows, classes, scores={"predicted": scores}, wrong=wrong, start=start)

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> Clip:
        """Returns the batch of one clip."""
        refuse_words(self.name, words)
        return Clip(clip.frames[None], clip.wave[None])

    def tell(self, windows: Sequence[tuple[Clip, DecodedEvents]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields a line per second: the event and how sure the system is of it."""
        names, second = (*classes, BACKGROUND), 0
        for _, (labels, scores) in windows:
            for label, score in zip(labels[0].tolist(), scores[0].tolist(), strict=True):
                line = f"{second:5d} s  {names[label]:<28} {score:.2f}"
                yield Told(line, {"second": second, "event": names[label], "probability": score})
                second += 1

    def labels(self, batch: LabelledClip, classes: Sequence[str]) -> Tensor:
        """Returns the class of every segment; the number of classes stands for background."""
        return batch.labels


def most_frequent(rows: Iterable[Row]) -> float:
    """Returns the share of the most frequent truth."""
    truths = [row.columns["truth"] for row in rows]
    return max(truths.count(truth) for truth in set(truths)) / len(truths)


def _labels(prediction: DecodedEvents, batch: LabelledClip) -> tuple[Tensor, Tensor]:
    """Returns predicted and true labels."""
    return prediction.labels, batch.labels


TASK = EventLocalization()
