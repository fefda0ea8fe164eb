"""Two runs on the same clips, second by second: what one got right and the other did not."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from crossmodal.metrics import Interval, crossed_interval, nested_interval
from crossmodal.training.predictions import PREDICTIONS


class Second(NamedTuple):
    """A second of a clip: which, its label, and whether the run got it right."""

    segment: str
    truth: str
    right: bool


Answers = Mapping[str, tuple[Second, ...]]
"""Of one run: clip → its seconds in order."""


def read_answers(run: Path) -> Answers:
    """What a run answered; `FileNotFoundError` with the fix where it has no predictions."""
    file = run / PREDICTIONS
    if not file.is_file():
        raise FileNotFoundError(f"{run} has no {PREDICTIONS}: `crossmodal ave test --run {run}` writes it.")
    found: dict[str, list[Second]] = {}
    with file.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            second = Second(row["segment"], row["truth"], row["truth"] == row["prediction"])
            found.setdefault(row["clip"], []).append(second)
    return {clip: tuple(sorted(seconds)) for clip, seconds in found.items()}


def accuracy(answers: Answers) -> float:
    """The share of right seconds."""
    right = [second.right for seconds in answers.values() for second in seconds]
    return sum(right) / len(right)


def majority(answers: Answers) -> float:
    """The share of the most frequent label."""
    labels = Counter(second.truth for seconds in answers.values() for second in seconds)
    return max(labels.values()) / labels.total()


def paired(ours: Answers, theirs: Answers, what: str) -> tuple[Tensor, Tensor]:
    """Right seconds of ours less theirs, and all seconds, clip by clip.

    - `what`: is compared, for the error. Raises `ValueError` where the runs were not tested on the same seconds.
    """
    if list(ours) != list(theirs) and (odd := sorted(set(ours) ^ set(theirs))):
        raise ValueError(_unpaired(what, f"{odd[0]!r} is in one of the two alone ({len(odd)} such clips)"))
    for clip, seconds in ours.items():
        if [second[:2] for second in seconds] != [second[:2] for second in theirs[clip]]:
            raise ValueError(_unpaired(what, f"the seconds of {clip!r} or their labels differ"))
    clips = sorted(ours)
    right = [[sum(second.right for second in of[clip]) for clip in clips] for of in (ours, theirs)]
    return torch.tensor(right[0]) - torch.tensor(right[1]), torch.tensor([len(ours[clip]) for clip in clips])


def difference(ours: Mapping[int, Answers], theirs: Mapping[int, Answers], what: str) -> Interval | None:
    """The mean difference in accuracy over the seeds that both have, with its interval over seeds and clips.

    - `ours`, `theirs`: seed → answers. `None` where they share no seed.

    Where all seeds were tested on the same clips, these are drawn for all of them at once.
    """
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    pairs = [paired(ours[seed], theirs[seed], f"{what}, seed {seed}") for seed in seeds]
    differences, sizes = zip(*pairs, strict=True)
    shared = len(seeds) > 1 and all(set(ours[seed]) == set(ours[seeds[0]]) for seed in seeds)
    return (crossed_interval if shared else nested_interval)(differences, sizes)


def _unpaired(what: str, found: str) -> str:
    return (
        f"ablation: {what}, cannot be compared clip by clip: {found}. They were tested on different data: delete the "
        f"folder of the older run, and run it again."
    )
