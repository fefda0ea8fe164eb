"""VGGSound-AVEL40k: ten-second clips of 141 classes with an event per second, the data of pre-training."""

import csv
import difflib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from .annotations import read_classes
from .clip import LabelledClip, Preprocess
from .frames import frame_files, read_frames
from .published_tables import SPLITS, means_a_split, numbered, read_columns
from .wave import map_wave, read_wave, resample_segments

TABLE, CATEGORIES = "vggsound-avel40k_labels.csv", "VggsoundAVEL40kCategories.txt"
COLUMNS = ("category", "video_id", "label", "split")
SEGMENTS = 10


class EventRow(NamedTuple):
    """Row of the table: `category` is audible and visible in the seconds of `video` that `present` marks."""

    category: str
    video: str
    present: tuple[bool, ...]


class VGGSoundEvents(Dataset[LabelledClip]):
    """One split of VGGSound-AVEL40k (Zhou et al., *Contrastive Positive Sample Propagation*, TPAMI 2022).

    ```text
    root/vggsound-avel40k_labels.csv        category, video_id, label (ten 0 or 1, in brackets), split; comma-separated
    root/VggsoundAVEL40kCategories.txt      the classes, one a line
    root/frames/<video id>/00000001.jpg, …  the id filled to six digits
    root/wave/<video id>.npy                10 · wave_rate samples of mono sound
    ```

    Columns are found by their names. An item is a clip with a class per second; background has the index behind the
    last class.

    Attributes:
        unread: Word in the column of splits that is none of the three → rows that have it, which no split holds.
    """

    def __init__(self, root: str | Path, split: str, preprocess: Preprocess | None = None, *, wave_rate: int = 32_000):
        """Reads the table; frames and waves are read with the items.

        Args:
            root: Folder of the data set, as above.
            split: `"train"`, `"val"` or `"test"`.
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            wave_rate: Samples per second of the stored waves.

        Raises:
            ValueError: For another split, a row that does not parse, or a split without rows.
            FileNotFoundError: If a table is missing.
        """
        if split not in SPLITS:
            raise ValueError(f"VGGSoundEvents: split={split!r} must be one of {', '.join(SPLITS)}.")
        self.root, self.split, self.wave_rate = Path(root), split, wave_rate
        self.preprocess = preprocess or Preprocess()
        self.classes = read_classes(self.root / CATEGORIES, "VGGSoundEvents")
        every = read_event_rows(self.root / TABLE, self.classes)
        self.rows = [row for of, row in every if of == split]
        self.unread = Counter(of for of, _ in every if of not in SPLITS)
        if not self.rows:
            raise ValueError(f"VGGSoundEvents: {self.root / TABLE} has no row of the split {split!r}.")

    @property
    def names(self) -> list[str]:
        """Returns the video id of every item, numbered where it stands twice."""
        return numbered(row.video for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> LabelledClip:
        row = self.rows[index]
        images = read_frames(self._frame_files(row.video))
        stored = read_wave(self._wave_file(row.video), SEGMENTS, self.wave_rate)
        wave = resample_segments(stored, self.wave_rate, self.preprocess.rate)
        background = torch.tensor(len(self.classes))
        labels = torch.where(torch.tensor(row.present), self.classes.index(row.category), background)
        return LabelledClip(*self.preprocess(images, wave), labels)

    def check(self) -> dict[str, list[str]]:
        """Returns name → what is missing of it, in the words of the errors that its items would raise."""
        found: dict[str, list[str]] = {}
        for name, row in zip(self.names, self.rows, strict=True):
            for look in (self._frame_files, lambda video: map_wave(self._wave_file(video), SEGMENTS, self.wave_rate)):
                try:
                    look(row.video)
                except (OSError, ValueError) as error:
                    found.setdefault(name, []).append(str(error))
        return found

    def _frame_files(self, video: str) -> list[Path]:
        return frame_files(self.root / "frames" / video, SEGMENTS)

    def _wave_file(self, video: str) -> Path:
        return self.root / "wave" / f"{video}.npy"


def read_event_rows(file: Path, classes: tuple[str, ...]) -> list[tuple[str, EventRow]]:
    """Reads split and row of every line of the table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line lacks a column, names an unknown category, has an id that is no number, or a label that is
            no list of ten 0 or 1, naming file and line.
    """
    found = []
    for line, row in read_columns(file, "VGGSoundEvents", COLUMNS, delimiter=",", quoting=csv.QUOTE_MINIMAL):
        try:
            found.append((_split(row["split"].strip()), _parsed(row, classes)))
        except ValueError as error:
            raise ValueError(f"VGGSoundEvents: {file}, line {line}: {error}") from error
    return found


def _split(text: str) -> str:
    """Returns the split of a row: one of the three, or another word, whose rows nothing reads."""
    if text not in SPLITS and (not text or means_a_split(text)):
        raise ValueError(f"split {text!r} is none of {', '.join(SPLITS)}: write one of them.")
    return text


def _parsed(row: Mapping[str, str], classes: tuple[str, ...]) -> EventRow:
    """Parses a row of the table."""
    category, video = row["category"].strip(), row["video_id"].strip()
    if category not in classes:
        near = difflib.get_close_matches(category, classes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Correct it, or list it in {CATEGORIES}."
        raise ValueError(f"{category!r} is none of the {len(classes)} categories.{hint}")
    if not video.isdecimal():
        raise ValueError(f"video_id {video!r} must be a whole number.")
    try:
        marks = json.loads(row["label"])
    except json.JSONDecodeError as error:
        raise ValueError(f"label {row['label']!r} must be a list of numbers in brackets ({error}).") from error
    if not isinstance(marks, list) or len(marks) != SEGMENTS or any(mark not in (0, 1) for mark in marks):
        raise ValueError(f"label {row['label']!r} must hold {SEGMENTS} numbers, each 0 or 1.")
    return EventRow(category, video.zfill(6), tuple(bool(mark) for mark in marks))
