"""Base of the tasks that match clips with class names: few clips of a class, none of them, and pre-training."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crossmodal.data import Clip
from crossmodal.data.shot_sources import BACKGROUND
from crossmodal.data.shots import ShotClip
from crossmodal.drawing import label_strips
from crossmodal.heads.matched_clips import of_pieces
from crossmodal.metrics.matched import matched_counts, matched_metric, matched_scores

from .matched_system import Matched
from .task import Row, Scores, Told, refuse_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 5
"""Classes of a whole video that `predict` prints."""
SEPARATOR = "; "


class NameMatching:
    """Base class: `ShotClip` batches, `Matched` predictions, the share of right seconds or of right clips.

    A subclass adds name, title, sources and settings.
    """

    monitor = "accuracy"
    unit = "seconds or clips"
    system = "dg_sct"
    segments = 10
    absent: Mapping[str, str] = MappingProxyType({"reproduce": "a released checkpoint goes in by fit --model.weights"})

    def pieces(self, prediction: Matched, batch: ShotClip) -> tuple[Tensor, Tensor]:
        """Returns what is scored: logits and target of every second, or of every clip."""
        return of_pieces(prediction.scores, batch.target), batch.target

    def scores(self) -> Scores:
        """Returns a new counter of right pieces."""
        return matched_metric(read=self.pieces)

    def rows(self, prediction: Matched, batch: ShotClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per piece: its true labels, the one that counts, the predicted one and its probability."""
        scores, target = self.pieces(prediction, batch)
        confidence, best = scores.softmax(-1).max(-1)
        for item, piece in torch.cartesian_prod(*map(torch.arange, target.shape[:2])).view(-1, 2).tolist():
            one, wanted = scores[item : item + 1, piece : piece + 1], target[item : item + 1, piece : piece + 1]
            value = float(matched_scores(matched_counts(one, wanted)).accuracy)
            columns = {
                "segment": piece,
                "truth": SEPARATOR.join(true_names(wanted[0, 0], classes)),
                "counted": counted_name(wanted[0, 0], classes),
                "prediction": classes[int(best[item, piece])],
                "score": float(confidence[item, piece]),
            }
            yield Row(item, value, 1.0, columns)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the accuracy of the one class that is right most often; a truth that is no class never is."""
        counts = Counter(row.columns["counted"] for row in rows)
        return {"accuracy": max((count for name, count in counts.items() if name), default=0) / len(rows)}

    def draw(self, prediction: Matched, item: Clip | ShotClip, classes: Sequence[str], *, start: int = 0) -> "Figure":
        """Draws the best class of every second, under the true labels where they are known."""
        confidence, best = prediction.scores[0, : len(item.frames)].softmax(-1).max(-1)
        drawn = {"predicted": best.tolist()}
        if isinstance(item, ShotClip):
            marked = [index for piece in item.target for index in piece.nonzero().flatten().tolist()]
            drawn = {"truth": marked, **drawn}
        known = [name for name in classes if name != BACKGROUND]  # drawn without colour where it is the last
        return label_strips(drawn, known, scores={"predicted": confidence.tolist()}, start=start)

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> Clip:
        """Returns the batch of one clip."""
        refuse_words(self.name, words)
        return Clip(clip.frames[None], clip.wave[None])

    def tell(self, windows: Sequence[tuple[Clip, Matched]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields a line per second, the best class and its probability, and the best classes of the whole video."""
        scores = torch.cat([prediction.scores[0, : len(clip.frames)] for clip, prediction in windows])
        for second, (confidence, label) in enumerate(zip(*scores.softmax(-1).max(-1), strict=True)):
            columns: dict[str, str | float] = {
                "second": second,
                "class": classes[int(label)],
                "probability": float(confidence),
            }
            yield Told(f"{second:5d} s  {classes[int(label)]:<28} {float(confidence):.2f}", columns)
        yield Told("whole video", {})
        for confidence, label in zip(*scores.mean(0).softmax(-1).topk(min(SHOWN, len(classes))), strict=True):
            columns = {"second": "all", "class": classes[int(label)], "probability": float(confidence)}
            yield Told(f"         {classes[int(label)]:<28} {float(confidence):.2f}", columns)

    def labels(self, batch: ShotClip, classes: Sequence[str]) -> Tensor:
        """Returns the class of every piece; the number of classes but background stands for background and for none."""
        background = len([name for name in classes if name != BACKGROUND])
        best = batch.target.argmax(-1).clamp(max=background)
        return torch.where(batch.target.any(-1), best, background)

    if TYPE_CHECKING:
        name: str
        title: str
        about: str
        sources: Mapping[str, Any]
        quick: Any


def counted_name(target: Tensor, classes: Sequence[str]) -> str:
    """Returns the name of the label that `MatchedScores.accuracy` counts as right; empty where it is no class."""
    first = int(target.argmax())
    return classes[first] if first < len(classes) else ""


def true_names(target: Tensor, classes: Sequence[str]) -> list[str]:
    """Returns the names of the labels of a piece; background for one behind the classes, or none."""
    names = (*classes, BACKGROUND)
    return [names[index] for index in target.nonzero().flatten().tolist()] or [BACKGROUND]
