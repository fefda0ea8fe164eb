"""Predictions kept clip by clip in one file, so that a long test goes on where it was stopped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crossmodal.heads.events import DecodedEvents
from crossmodal.io import write_whole
from crossmodal.training.predictions import PREDICTIONS, Tested, write_predictions

FILE = "clips.jsonl"


class Kept:
    """What was predicted of every clip, by its index in the split; begins with what is kept in the folder `out`.

    - `identity`: what predictions depend on, as JSON writes it; `ValueError` where those of the folder are of another.

    A line that was being written when its writer was killed is left out.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any]):
        self.out, self.identity = out, dict(identity)
        self.rows: dict[int, dict[str, list[Any]]] = {}
        out.mkdir(parents=True, exist_ok=True)
        if (out / FILE).is_file():
            self._read()
        write_whole(out / FILE, "".join(f"{json.dumps(row)}\n" for row in (self.identity, *self._lines())))

    def __contains__(self, index: int) -> bool:
        return index in self.rows

    def add(self, indices: Sequence[int], truth: Tensor, decoded: DecodedEvents) -> None:
        """Keeps a batch of `(clip, segment)` labels and what was decoded; on the disk before this returns."""
        columns = (truth, decoded.labels, decoded.confidence.double())
        for index, *row in zip(indices, *(column.tolist() for column in columns), strict=True):
            self.rows[index] = dict(zip(("truth", "prediction", "score"), row, strict=True))
            with (self.out / FILE).open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps({'clip': index, **self.rows[index]})}\n")

    def labels(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Truth and prediction, `(clip, segment)` each."""
        truth, prediction = ([self.rows[index][name] for index in indices] for name in ("truth", "prediction"))
        return torch.tensor(truth), torch.tensor(prediction)

    def write_csv(self, indices: Sequence[int], names: Sequence[str], classes: Sequence[str]) -> None:
        """Writes `predictions.csv`, as every run leaves it."""
        truth, prediction = self.labels(indices)
        clip = torch.tensor(indices)[:, None].expand_as(truth)
        segment = torch.arange(truth.shape[1]).expand_as(truth)
        score = torch.tensor([self.rows[index]["score"] for index in indices])
        columns = Tested(*(column.flatten() for column in (clip, segment, truth, prediction, score)))
        write_predictions(self.out / PREDICTIONS, columns, names, classes)

    def _lines(self) -> list[dict[str, Any]]:
        return [{"clip": index, **row} for index, row in self.rows.items()]

    def _read(self) -> None:
        whole = (self.out / FILE).read_text(encoding="utf-8").splitlines(keepends=True)
        found = [json.loads(line) for line in whole if line.endswith("\n")]
        if found and found[0] != json.loads(json.dumps(self.identity)):
            unlike = [name for name in self.identity if found[0].get(name) != self.identity[name]]
            raise ValueError(
                f"{self.out / FILE} holds predictions of another {', '.join(unlike)}: choose another --out, or remove "
                f"the file."
            )
        self.rows = {row.pop("clip"): row for row in found[1:]}


def sha256(file: Path) -> str:
    """The hash of a file, of any size."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
