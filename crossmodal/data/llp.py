"""LLP: 11,849 ten-second clips whose events are heard, seen or both, in the layout that DG-SCT's authors released."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .clip import Preprocess
from .frames import frame_files, read_frames
from .llp_rows import ERRATA, LLP_CLASSES, SEGMENTS, DenseEvent, read_clip_labels, read_dense_events
from .parsed_clip import ParsedClip
from .published_tables import numbered
from .stamps import file_stamp, library_versions
from .stored_features import as_float32, map_features
from .wave import map_wave, read_wave, resample_segments

SPLITS = {"train": "AVVP_train.csv", "val": "AVVP_val_pd.csv", "test": "AVVP_test_pd.csv"}
DENSE = {"audio": "AVVP_eval_audio.csv", "visual": "AVVP_eval_visual.csv"}
FEATURES = {"vggish": (SEGMENTS, 128), "res152": (8 * SEGMENTS, 2048), "r2plus1d_18": (SEGMENTS, 512)}
"""Folder of published features → shape of a clip's file."""
MEDIA = "LLP_dataset"
ID_LENGTH = 11
_TIMES = re.compile(r"_([0-9]+(?:\.[0-9]+)?)_([0-9]+(?:\.[0-9]+)?)")
LONGEST = 1000
"""Seconds: no clip is cut as long; where a name says so, its times are milliseconds."""


class LLP(Dataset[ParsedClip]):
    """One split of LLP (Tian et al., *Unified Multisensory Perception*, ECCV 2020).

    ```text
    root/AVVP_train.csv, AVVP_val_pd.csv, AVVP_test_pd.csv  clips: filename and event_labels, separated by a tab
    root/AVVP_eval_audio.csv, AVVP_eval_visual.csv          of val and test: filename, onset, offset, event_labels
    root/LLP_dataset/frame/<id>/00000001.jpg, … 00000010.jpg  the picture in the middle of every second
    root/LLP_dataset/wave/<id>.npy                          10 · wave_rate samples of mono sound
    root/LLP_dataset/feats/r2plus1d_18/<id>.npy             optional: features of motion, (10, 512)
    ```

    The id is the first eleven characters of a file name. No events of the training split are published: there every
    second carries the labels of its clip, as heard and as seen, and no score of it means anything. A clip without a row
    in a table of events has none of that modality, as in the released evaluation; `unlisted` counts them.

    An item whose file is missing, cut or of a wrong kind raises `FileNotFoundError` or `ValueError` that names it.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        preprocess: Preprocess | None = None,
        *,
        wave_rate: int = 32_000,
        errata: Mapping[str, str] = ERRATA,
    ):
        """Reads the tables; frames, waves and features are read with the items.

        Args:
            root: Folder of the data set, as above.
            split: `"train"`, `"val"` or `"test"`.
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            wave_rate: Samples per second of the stored waves.
            errata: Name in the table of heard events → name that is meant.

        Raises:
            ValueError: For another split, or a row that does not parse.
            FileNotFoundError: If a table is missing.
        """
        if split not in SPLITS:
            raise ValueError(f"LLP: split={split!r} must be one of {', '.join(SPLITS)}.")
        self.root, self.split, self.wave_rate = Path(root), split, wave_rate
        self.preprocess = preprocess or Preprocess()
        self.classes = LLP_CLASSES
        self.rows = read_clip_labels(self.root / SPLITS[split], self.classes)
        self.events: dict[str, dict[str, list[DenseEvent]]] = {name: {} for name in DENSE}
        for modality in () if split == "train" else DENSE:
            for event in read_dense_events(self.root / DENSE[modality], self.classes, errata=errata):
                self.events[modality].setdefault(event.name, []).append(event)

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every clip: its id with start and end second, numbered where it stands twice."""
        return numbered(row.name for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> ParsedClip:
        name = self.rows[index].name
        return ParsedClip(*self.read_media(video_id(name)), self.present(index), *self.parse(index))

    def stamp(self, index: int) -> str:
        """Returns a text that changes with the files, the labels and what reads them; nothing is decoded."""
        marks = [mark.tolist() for mark in (self.present(index), *self.parse(index))]
        files = file_stamp(*self._files(video_id(self.rows[index].name)))
        return f"{files} {self.wave_rate} {marks} {self.preprocess} {library_versions('pillow', 'soxr')}"

    def read_media(self, video: str) -> tuple[Tensor, Tensor, Tensor]:
        """Reads frames, wave and motion features of a clip; the last have width 0 where none are stored."""
        images = read_frames(self._frame_files(video))
        stored = read_wave(self._wave_file(video), SEGMENTS, self.wave_rate)
        clip = self.preprocess(images, resample_segments(stored, self.wave_rate, self.preprocess.rate))
        motion = torch.zeros(SEGMENTS, 0)
        if (self.root / MEDIA / "feats" / "r2plus1d_18").is_dir():
            motion = read_feature(self.root / MEDIA / "feats", "r2plus1d_18", video)
        return clip.frames, clip.wave, motion

    def present(self, index: int) -> Tensor:
        """Returns which categories a clip shows."""
        return torch.tensor([float(name in self.rows[index].categories) for name in self.classes])

    def parse(self, index: int) -> tuple[Tensor, Tensor]:
        """Returns what is heard and what is seen, `(segment, category)` each."""
        if self.split == "train":
            every = self.present(index).bool().expand(SEGMENTS, -1)
            return every.clone(), every.clone()
        marks = []
        for by_clip in self.events.values():
            marked = torch.zeros(SEGMENTS, len(self.classes), dtype=torch.bool)
            for event in by_clip.get(self.rows[index].name, []):
                marked[event.onset : event.offset, self.classes.index(event.category)] = True
            marks.append(marked)
        return marks[0], marks[1]

    def unlisted(self) -> dict[str, list[str]]:
        """Returns modality → clips of this split without a row in its table of events; none of the training split."""
        if self.split == "train":
            return {}
        names = [row.name for row in self.rows]
        return {modality: [name for name in names if name not in found] for modality, found in self.events.items()}

    def check(self) -> dict[str, list[str]]:
        """Returns name → what this split lacks of it, in the words of the errors that its items would raise."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            for look in self.looks():
                try:
                    look(video_id(name))
                except (OSError, ValueError) as error:
                    found.setdefault(name, []).append(str(error))
        return found

    def looks(self) -> Sequence[Callable[[str], object]]:
        """Returns the functions that look at names, headers and sizes of a clip's files."""
        return (self._frame_files, lambda video: map_wave(self._wave_file(video), SEGMENTS, self.wave_rate))

    def _files(self, video: str) -> list[Path]:
        """Returns the files that an item is read from; that of the motion features may be missing."""
        motion = self.root / MEDIA / "feats" / "r2plus1d_18" / f"{video}.npy"
        return [*self._frame_files(video), self._wave_file(video), motion]

    def _frame_files(self, video: str) -> list[Path]:
        folder = self.root / MEDIA / "frame" / video
        files = frame_files(folder, SEGMENTS)
        stored = len(list(folder.glob("*.jpg")))
        if stored != SEGMENTS:
            raise ValueError(
                f"LLP: {folder} holds {stored} frames, expected {SEGMENTS}, one from the middle of every second: "
                "extract them again."
            )
        return files

    def _wave_file(self, video: str) -> Path:
        return self.root / MEDIA / "wave" / f"{video}.npy"


class LLPFeatures(LLP):
    """One split of LLP with the published features in the place of frames, wave and motion.

    Reads `root/LLP_dataset/feats/{res152,vggish,r2plus1d_18}/<id>.npy`, of shapes (80, 2048), (10, 128) and (10, 512);
    `frames` of an item is `(segment, frame, 2048)`, eight frames a second.
    """

    def read_media(self, video: str) -> tuple[Tensor, Tensor, Tensor]:
        """Reads the three features of a clip."""
        feats = self.root / MEDIA / "feats"
        picture, sound, motion = (read_feature(feats, kind, video) for kind in ("res152", "vggish", "r2plus1d_18"))
        return picture.unflatten(0, (SEGMENTS, -1)), sound, motion

    def looks(self) -> Sequence[Callable[[str], object]]:
        """Returns the functions that look at the feature files of a clip."""
        feats = self.root / MEDIA / "feats"
        return [partial(map_feature, feats, kind) for kind in FEATURES]

    def _files(self, video: str) -> list[Path]:
        return [self.root / MEDIA / "feats" / kind / f"{video}.npy" for kind in FEATURES]


def video_id(name: str) -> str:
    """Returns the id of the video that a clip is cut from: the first eleven characters of its name."""
    return name[:ID_LENGTH]


def cut_times(name: str) -> tuple[Fraction, Fraction] | None:
    """Returns start and end, in seconds of its video, of a clip `<id>_<start>_<end>`; `None` for any other name."""
    times = _TIMES.fullmatch(name[ID_LENGTH:])
    if times is None:
        return None
    start, end = map(Fraction, times.groups())
    return (start / 1000, end / 1000) if end - start >= LONGEST else (start, end)


def told_same_files(names: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns sentences about clips of other names but the same id: the same frames and sound are read for them.

    Args:
        names: Split → the names of its clips as its table has them.
    """
    first = {split: {video_id(name): name for name in reversed(of_split)} for split, of_split in names.items()}
    said = []
    for split, of_split in names.items():
        if inside := [name for name in of_split if first[split][video_id(name)] != name]:
            said.append(
                f"{len(inside)} clips of {split} have the id of another one and are read from the same files, the "
                f"first {inside[0]}, as {first[split][video_id(inside[0])]}: all are kept"
            )
    trained, known = first.get("train", {}), {*names.get("train", ())}
    for split in (split for split in names if split != "train"):
        if both := [name for name in names[split] if video_id(name) in trained and name not in known]:
            said.append(
                f"{len(both)} clips of {split} have the id of one of train and are read from the same files, the first "
                f"{both[0]}, as {trained[video_id(both[0])]}: scores on them are not of unseen ones"
            )
    return said


def map_feature(feats: Path, kind: str, video: str) -> np.ndarray:
    """Checks a feature file and maps it; errors are those of `crossmodal.data.stored_features.map_features`."""
    meant = f"{kind} feature of a clip of {SEGMENTS} s"
    return map_features(feats / kind / f"{video}.npy", FEATURES[kind], "LLP", meant)


def read_feature(feats: Path, kind: str, video: str) -> Tensor:
    """Reads a feature file as float32; errors are those of `map_feature`, and one for values that are not finite."""
    return as_float32(map_feature(feats, kind, video), feats / kind / f"{video}.npy", "LLP")
