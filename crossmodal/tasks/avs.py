"""Audio-visual segmentation (AVS): the pixels of what sounds, in every frame of a clip."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crossmodal.data import Clip
from crossmodal.data.segmentation_sources import AVSBenchSource, SegmentedWorldSource
from crossmodal.data.segmented_clip import SegmentedClip
from crossmodal.data.source import Source
from crossmodal.drawing.mask_figure import mask_figure
from crossmodal.drawing.mask_files import write_mask_files
from crossmodal.heads.masks import DecodedMasks, at_size
from crossmodal.metrics import mask_metric
from crossmodal.metrics.masks import overlaps

from .settings import Settings
from .task import Row, Scores, Told, refuse_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEGMENTS = 5


class AudioVisualSegmentation:
    """Task `avs`: `SegmentedClip` batches, `DecodedMasks` predictions, scored by M_J and M_F."""

    name = "avs"
    title = "Audio-visual segmentation"
    about = "Trains a system that segments the objects that sound; tests it."
    monitor = "overlap"
    unit = "frames"
    scores_are_shares = False  # of F-scores and overlaps, not of right answers
    system = "dg_sct"
    segments = SEGMENTS
    sources: Mapping[str, type[Source]] = MappingProxyType({"world": SegmentedWorldSource, "avsbench": AVSBenchSource})
    quick = Settings(optim={"lr": 2e-3, "decay": 0.5, "every": 2}, trainer={"max_epochs": 4}, data={"batch_size": 8})
    absent: Mapping[str, str] = MappingProxyType({"prepare": "AVSBench is published as frames, masks and sounds"})
    files = "masks"

    def scores(self) -> Scores:
        """Returns a new counter of M_J (`overlap`) and M_F (`f_measure`), whatever the batches are."""
        return mask_metric(read=_scored)

    def rows(self, prediction: DecodedMasks, batch: SegmentedClip, classes: Sequence[str]) -> Iterator[Row]:
        """Yields a row per frame whose mask is known: its overlap, and the shares of its true and predicted pixels."""
        probability = at_size(prediction.probability, _size(batch))
        for item, second in batch.supervised.nonzero().tolist():
            one, true = probability[item, second], batch.masks[item, second]
            columns: dict[str, str | int | float] = {
                "second": second,
                "object_share": float(true.float().mean()),
                "predicted_share": float((one > 0.5).float().mean()),
            }
            yield Row(item, float(overlaps(one[None], true[None])), 1.0, columns)

    def chance(self, rows: Sequence[Row]) -> dict[str, float]:
        """Returns the better score of two constant masks: every pixel, and none."""
        shares = [float(row.columns["object_share"]) for row in rows]
        shown = [share for share in shares if share]
        everything = sum(shown) / max(1, len(shares))
        nothing = sum(not share for share in shares) / max(1, len(shares))
        # precision is the share, recall 1
        measures = [1.3 * share / (0.3 * share + 1) for share in shown]
        return {"overlap": max(everything, nothing), "f_measure": sum(measures) / max(1, len(measures))}

    def draw(
        self, prediction: DecodedMasks, item: Clip | SegmentedClip, classes: Sequence[str], *, start: int = 0
    ) -> "Figure":
        """Draws frames, true masks where they are known, predicted masks, both overlaid, and the sound below."""
        truth = (item.masks, item.supervised) if isinstance(item, SegmentedClip) else None
        return mask_figure(item.frames, item.wave, prediction.probability[0], truth=truth, start=start)

    def ask(self, clip: Clip, words: Sequence[str], classes: Sequence[str]) -> Clip:
        """Returns the batch of one clip."""
        refuse_words(self.name, words)
        return Clip(*(part[None] for part in clip))

    def tell(self, windows: Sequence[tuple[Clip, DecodedMasks]], classes: Sequence[str]) -> Iterator[Told]:
        """Yields a line per second: how much of the frame sounds, and how sure the system is of its surest pixel."""
        second = 0
        for _, prediction in windows:
            for probability in prediction.probability[0]:
                share = float((probability > 0.5).float().mean())
                sure = float(probability.max())
                line = f"{second:5d}-{second + 1} s  {100 * share:5.1f} % of the frame sounds   surest pixel {sure:.2f}"
                yield Told(line, {"second": second, "share": share, "surest_pixel": sure})
                second += 1

    def write_files(self, folder: Path, film: Path, windows: Sequence[tuple[Clip, DecodedMasks]]) -> str:
        """Writes a PNG mask a second and a video of the masks over the frames; returns what was written."""
        probability = torch.cat([prediction.probability[0] for _, prediction in windows])
        frames, wave = (torch.cat([getattr(clip, part) for clip, _ in windows]) for part in Clip._fields)
        return write_mask_files(folder, film.stem, frames, wave, probability)

    def labels(self, batch: SegmentedClip, classes: Sequence[str]) -> Tensor:
        """Returns the category of what sounds; the number of classes where there is none, or several."""
        return batch.labels


def _scored(prediction: DecodedMasks, batch: Any) -> tuple[Tensor, Tensor]:
    """Returns probabilities and true masks of the frames whose masks are known."""
    probability = at_size(prediction.probability, _size(batch))
    return probability[batch.supervised], batch.masks[batch.supervised]


def _size(batch: SegmentedClip) -> tuple[int, int]:
    """Returns height and width of the masks."""
    height, width = batch.masks.shape[2:]
    return height, width


TASK = AudioVisualSegmentation()
