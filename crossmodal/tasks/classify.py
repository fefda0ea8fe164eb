"""Classification of whole clips: one class per clip, by sight and sound."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from crossmodal.data import Clip, LabelledClip
from crossmodal.data.folder.source import ClipFolderSource
from crossmodal.data.source import AVESource, Source, WorldSource
from crossmodal.drawing import label_strips
from crossmodal.metrics import segment_metric

from .ave import most_frequent
from .class_system import Classified, clip_label
from .settings import Settings
from .task import Row, Scores, Told, refuse_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 5
"""Classes of a video that `predict` prints."""


class ClipClassification:
    """Task `classify`: `LabelledClip` batches, `Classified` predictions, the share of right clips."""

    name = "classify"
    title = "Classes of clips"
    about = "Trains a classifier of clips, one label each; tests it."
    monitor = "accuracy"
    unit = "clips"
    system = "dg_sct"
    segments = 10
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": WorldSource, "ave": AVESource, "folder": ClipFolderSource}
    )
    quick = Settings(optim={"lr": 2e-3, "decay": 0.5, "every": 1}, trainer={"max_epochs": 4})
    absent: Mapping[str, str] = MappingProxyType(
        {"reproduce": "no released weights of a classifier are known; `crossmodal ave reproduce` runs those of AVE"}
    )

    def scores(self) -> Scores:
        """Returns a new counter of right clips."""
        return segment_metric(read=_labels)

    def rows(self, prediction: Classified, batch: LabelledClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per clip: its truth, its predicted class and the score of that."""
        truths = self.labels(batch, classes)[:, 0].tolist()
        for item, (truth, label, score) in enumerate(
            zip(truths, prediction.labels[:, 0].tolist(), prediction.confidence[:, 0].tolist(), strict=True)
        ):
            written = {"segment": 0, "truth": classes[truth], "prediction": classes[label], "score": score}
            yield Row(item, float(truth == label), 1.0, written)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the accuracy of the most frequent class."""
        return {"accuracy": most_frequent(rows)}

    def draw(
        self, prediction: Classified, item: Clip | LabelledClip, classes: Sequence[str], *, start: int = 0
    ) -> "Figure":
        """Draws the predicted class of a clip, under the true one where it is known."""
        label, score = int(prediction.labels[0, 0]), float(prediction.confidence[0, 0])
        rows, wrong = {"predicted": [label]}, None
        if isinstance(item, LabelledClip):
            truth = int(clip_label(item.labels[None], len(classes)))
            rows, wrong = {"truth": [truth], "predicted": [label]}, {"predicted": [truth != label]}
        return label_strips(rows, classes, scores={"predicted": [score]}, wrong=wrong, start=None)

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> Clip:
        """Returns the batch of one clip."""
        refuse_words(self.name, words)
        return Clip(clip.frames[None], clip.wave[None])

    def tell(self, windows: Sequence[tuple[Clip, Classified]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields the likeliest classes of a video: the mean over its seconds."""
        seconds = torch.tensor([float(len(clip.frames)) for clip, _ in windows])
        of_windows = torch.cat([prediction.probabilities for _, prediction in windows])
        mean = (of_windows * (seconds / seconds.sum())[:, None]).sum(0)  # the last window is shorter, and counts less
        for probability, label in zip(*mean.topk(min(SHOWN, len(mean))), strict=True):
            columns = {"class": classes[label], "probability": float(probability)}
            yield Told(f"  {classes[label]:<28} {probability:.2f}", columns)

    def labels(self, batch: LabelledClip, classes: Sequence[str]) -> Tensor:
        """Returns the class of every clip, `(clip, 1)`."""
        return clip_label(batch.labels, len(classes))


def _labels(prediction: Classified, batch: LabelledClip) -> tuple[Tensor, Tensor]:
    """Returns predicted and true classes, `(clip, 1)` each; background, if any, is above all classes."""
    return prediction.labels, batch.labels.amin(dim=1, keepdim=True)


TASK = ClipClassification()
