"""Scored rows kept item by item in one file, so that a long test goes on where it was stopped, whatever the task."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from crossmodal.io import write_whole
from crossmodal.tasks.task import Row, Task
from crossmodal.training.predictions import PREDICTIONS, Tested, write_predictions

FILE = "items.jsonl"
"""First line: what the scores depend on; then a line per item."""


class ResumableScores:
    """Rows and score counts of every item that was predicted, by its index in the split.

    A line that was being written when its writer was killed is left out.
    """

    def __init__(self, out: Path, task: Task, identity: Mapping[str, Any]):
        """Begins with what the folder keeps.

        Args:
            out: Folder of the file; made where it is missing.
            task: Scores predictions.
            identity: What they depend on, as JSON writes it.

        Raises:
            ValueError: If the folder keeps those of another identity.
        """
        self.out, self.task, self.identity = out, task, dict(identity)
        self.lines: dict[int, dict[str, Any]] = {}
        out.mkdir(parents=True, exist_ok=True)
        if (out / FILE).is_file():
            self._read()
        lines = [self.identity, *({"item": index, **line} for index, line in self.lines.items())]
        write_whole(out / FILE, "".join(f"{json.dumps(line)}\n" for line in lines))

    def __contains__(self, index: int) -> bool:
        """Returns whether an item was predicted."""
        return index in self.lines

    def add(self, index: int, prediction: Any, batch: Any, classes: Sequence[str]) -> None:
        """Scores one item and keeps it; on the disk before this returns.

        Args:
            index: Of the item in the split.
            prediction: Of a batch of this one item.
            batch: The batch.
            classes: Label vocabulary of the system.
        """
        scores = self._metric()
        scores.update(prediction, batch)
        rows = [[row.value, row.weight, dict(row.columns)] for row in self.task.rows(prediction, batch, classes)]
        self.lines[index] = {"rows": rows, "counts": _to_lists(scores.metric_state)}
        # a line more, not the file anew: the time for an item must not grow with their number
        with (self.out / FILE).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps({'item': index, **self.lines[index]})}\n")

    def result(self, indices: Sequence[int]) -> Tested:
        """Returns rows, scores and chance over these items."""
        rows = [(index, Row(0, *row)) for index in indices for row in self.lines[index]["rows"]]
        scores = self._metric()
        for index in indices:
            counts = self.lines[index]["counts"]
            scores.merge_state({name: _like(counts[name], state) for name, state in scores.metric_state.items()})
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*called before the ``update`` method")  # its states are merged
            found = {name: float(value) for name, value in scores.compute().items()}
        return Tested(rows, found, self.task.chance([row for _, row in rows]))

    def write_csv(self, tested: Tested, names: Sequence[str]) -> None:
        """Writes `predictions.csv`, as every run leaves it; `names` are those of all items of the split."""
        write_predictions(self.out / PREDICTIONS, tested.rows, names)

    def _metric(self) -> Metric:
        """Returns a new score counter, whose counts can be kept and merged.

        Raises:
            TypeError: If the task's counter is no torchmetrics `Metric`.
        """
        scores = self.task.scores()
        if not isinstance(scores, Metric):
            raise TypeError(
                f"{self.task.name}: scores() returns a {type(scores).__name__}, whose counts cannot be kept: return a "
                "torchmetrics Metric."
            )
        return scores

    def _read(self) -> None:
        """Reads the file of the folder.

        Raises:
            ValueError: If it is of another identity.
        """
        whole = (self.out / FILE).read_text(encoding="utf-8").splitlines(keepends=True)
        found = [json.loads(line) for line in whole if line.endswith("\n")]
        # compared as it comes back from a file, where tuples are lists
        if found and found[0] != json.loads(json.dumps(self.identity)):
            unlike = [name for name in self.identity if found[0].get(name) != self.identity[name]]
            raise ValueError(
                f"{self.out / FILE} holds predictions of another {', '.join(unlike)}: choose another --out, or remove "
                "the file."
            )
        self.lines = {line.pop("item"): line for line in found[1:]}


def sha256(file: Path) -> str:
    """Computes the hash of a file, of any size."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _to_lists(state: Mapping[str, Tensor | list[Tensor]]) -> dict[str, Any]:
    """Returns the counts of a metric as JSON writes them."""
    return {
        name: [part.tolist() for part in value] if isinstance(value, list) else value.tolist()
        for name, value in state.items()
    }


def _like(value: Any, state: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    """Returns kept counts as a metric holds them."""
    if isinstance(state, Tensor):
        return torch.tensor(value, dtype=state.dtype)
    return [torch.tensor(part) for part in value]
