"""`predictions.csv`: what a run says of every second of the test split, one row a second, whatever device tested it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from crossmodal.heads.events import Decoded
from crossmodal.io import write_whole

PREDICTIONS = "predictions.csv"


class Tested(NamedTuple):
    """Every tested segment once, by clip, then by segment; labels are class indices, background behind the last.

    - `clip`: index in the split. `segment`: second of the clip.
    - `truth`, `prediction`: labels. `score`: how sure the model is of its prediction, in [0, 1].
    """

    clip: Tensor
    segment: Tensor
    truth: Tensor
    prediction: Tensor
    score: Tensor


class Collected(Metric):
    """Collects decoded batches of any length in all processes; a clip that was tested twice is kept once.

    A distributed sampler repeats clips until every process has as many: they would count twice in an accuracy.
    """

    rows: list[Tensor]
    scores: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", [], "cat")
        self.add_state("scores", [], "cat")

    def update(self, clips: Sequence[int], labels: Tensor, decoded: Decoded) -> None:
        """`clips`: index in the split of every clip of the batch. `labels`: the truth, `(clip, segment)`."""
        clip = torch.tensor(clips, device=labels.device)[:, None].expand_as(labels)
        segment = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
        self.rows.append(torch.stack((clip, segment, labels, decoded.labels), dim=2).flatten(0, 1))
        self.scores.append(decoded.confidence.float().flatten())

    def compute(self) -> tuple[Tensor, Tensor]:
        """`(segment, 4)` indices and `(segment,)` scores, in order."""
        rows, scores = (torch.cat(list(part)) if isinstance(part, list) else part for part in (self.rows, self.scores))
        first = {tuple(row[:2]): at for at, row in reversed(list(enumerate(rows.tolist())))}
        order = [first[segment] for segment in sorted(first)]
        return rows[order], scores[order]

    def tested(self) -> Tested:
        """All segments of all processes, in order."""
        rows, scores = self.compute()
        return Tested(*rows.T, scores.reshape(-1))  # torchmetrics makes a number of a single score


def write_predictions(file: Path, tested: Tested, names: Sequence[str], classes: Sequence[str]) -> None:
    """Writes `clip, segment, truth, prediction, score`, whole or not at all.

    - `names`: of the clips of the split. `classes`: of the events, background not counted.
    """
    labels = [*classes, "background"]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(Tested._fields)
    for clip, segment, truth, prediction, score in zip(*(column.tolist() for column in tested), strict=True):
        writer.writerow([names[clip], segment, labels[truth], labels[prediction], f"{score:.6f}"])
    write_whole(file, table.getvalue())
