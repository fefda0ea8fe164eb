"""The published features of AVE, `.h5` files of VGG-19 and VGGish, read row by row and never as a whole."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .annotations import AVE_CLASSES, event_labels, read_classes, read_events, told_events
from .ave import SEGMENTS
from .clip import LabelledClip
from .extras import need
from .published_tables import SPLITS, told_twice
from .source import Source

FILES = {"visual": "visual_feature", "audio": "audio_feature"}
SHAPES = {"visual": (SEGMENTS, 7, 7, 512), "audio": (SEGMENTS, 128)}
KEY, ORDER, LABELS = "avadataset", "order", "labels"


class AVEFeatures(Dataset[LabelledClip]):
    """One split of AVE as its authors published its features.

    ```text
    root/Annotations.txt                             a row per clip, with or without a header
    root/visual_feature.h5, audio_feature.h5         avadataset: (clip, 10, 7, 7, 512) and (clip, 10, 128)
    root/train_order.h5, val_order.h5, test_order.h5 order: the rows of each split
    root/visual_feature_noisy.h5, audio_feature_noisy.h5   optional: clips of background, for weak training
    ```

    An item is a `LabelledClip` whose `frames` are 49 visual tokens a second, `(10, 49, 512)`, and whose `wave` is a
    vector a second, `(10, 128)`, float32 of the float64 in the files. Each item reads its own row from the disk: the
    7.7 GB of the visual file are never in memory. Labels follow from the annotations.
    """

    def __init__(self, root: str | Path, split: str, *, background: bool = False):
        """Reads the rows and the split; features are read with the items.

        Args:
            root: Folder of the files.
            split: `"train"`, `"val"` or `"test"`.
            background: Adds the clips of background to the training split, as the weak trainings do.

        Raises:
            ValueError: For another split, a file of another shape, or rows that do not match.
            FileNotFoundError: If a file is missing.
            ImportError: Without the extra `recipes`.
        """
        if split not in SPLITS:
            raise ValueError(f"AVEFeatures: split={split!r} must be one of {', '.join(SPLITS)}.")
        self.root = Path(root)
        categories = self.root / "categories.txt"
        self.classes = read_classes(categories) if categories.is_file() else AVE_CLASSES
        self.events = read_events(self.root / "Annotations.txt", self.classes, SEGMENTS)
        counted = {side: self._clips(side, file) for side, file in FILES.items()}
        if set(counted.values()) != {len(self.events)}:
            raise ValueError(
                f"AVEFeatures: {self.root} has {len(self.events)} rows in Annotations.txt, but features of {counted} "
                "clips: the files must be of one release, a row each."
            )
        self.order = self._order(split)
        self.background = self._background() if background and split == "train" else 0
        self._opened: dict[tuple[int, str], Any] = {}

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every item: the video id and its row; `background-0`, … for clips of background."""
        rows = [f"{self.events[row].video}#{row}" for row in self.order]
        return rows + [f"background-{row}" for row in range(self.background)]

    def __len__(self) -> int:
        return len(self.order) + self.background

    def __getitem__(self, index: int) -> LabelledClip:
        if index >= len(self):  # ends an iteration
            raise IndexError(f"AVEFeatures: index {index} of {len(self)} items.")
        extra = index - len(self.order)
        suffix, row = ("", self.order[index]) if extra < 0 else ("_noisy", extra)
        visual, audio = (self._read(f"{file}{suffix}", row) for file in FILES.values())
        if extra < 0:
            labels = event_labels(self.events[row], self.classes, SEGMENTS)
        else:
            labels = torch.full((SEGMENTS,), len(self.classes))
        return LabelledClip(visual.flatten(1, 2), audio, labels)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves open files behind: every process opens its own."""
        return {**self.__dict__, "_opened": {}}

    def _read(self, file: str, row: int) -> Tensor:
        """Reads one row of a file, which stays open in this process."""
        place = (os.getpid(), file)
        if place not in self._opened:
            self._opened[place] = self._open(file)[KEY]
        values = torch.from_numpy(np.asarray(self._opened[place][row], dtype=np.float32))
        if not values.isfinite().all():
            raise ValueError(f"AVEFeatures: row {row} of {file}.h5 holds NaN or infinite numbers: get the file again.")
        return values

    def _open(self, file: str) -> Any:
        """Opens an HDF5 file."""
        path = self.root / f"{file}.h5"
        if not path.is_file():
            raise FileNotFoundError(f"AVEFeatures: {path} is missing: copy the released file there.")
        try:
            return need("h5py", "AVEFeatures").File(path, "r")
        except OSError as error:
            raise ValueError(f"AVEFeatures: {path} is no whole HDF5 file ({error}): get it again.") from error

    def _clips(self, side: str, file: str) -> int:
        """Returns the number of clips in a file of the published shape."""
        with self._open(file) as opened:
            stored = opened.get(KEY)  # a group has neither shape nor dtype
            shape, dtype = getattr(stored, "shape", None), np.dtype(getattr(stored, "dtype", object))
        if shape is None or shape[1:] != SHAPES[side]:
            raise ValueError(
                f"AVEFeatures: {self.root / file}.h5 holds {f'{KEY} of {shape}' if shape else f'no {KEY}'}, expected "
                f"{KEY} of (clips, {', '.join(map(str, SHAPES[side]))})."
            )
        if dtype.kind not in "fiub":
            raise ValueError(
                f"AVEFeatures: {self.root / file}.h5 holds {KEY} of {dtype}, expected floats: get it again."
            )
        return int(shape[0])

    def _background(self) -> int:
        """Returns the number of clips of background."""
        counted = {side: self._clips(side, f"{file}_noisy") for side, file in FILES.items()}
        if len({*counted.values()}) > 1:
            raise ValueError(
                f"AVEFeatures: {self.root} has noisy features of {counted} clips: the files must be of one release, a "
                "row each."
            )
        return counted["visual"]

    def _order(self, split: str) -> list[int]:
        """Returns the rows of a split."""
        with self._open(f"{split}_order") as opened:
            stored = opened.get(ORDER)
            held = np.asarray(stored[()]) if hasattr(stored, "shape") else np.empty(0, int)
        rows = _row_numbers(held, self.root / f"{split}_order.h5")
        outside = [row for row in rows if not 0 <= row < len(self.events)]
        if outside or not rows:
            said = f"row {outside[0]} of {len(self.events)}" if outside else f"no {ORDER}"
            raise ValueError(f"AVEFeatures: {self.root / split}_order.h5 names {said}: get the released file.")
        return rows


def _row_numbers(held: np.ndarray, file: Path) -> list[int]:
    """Returns the row numbers of a file: whole numbers, maybe as floats, in one dimension, or two as MATLAB writes it.

    Raises:
        ValueError: If it holds anything else, such as a mask.
    """
    if held.dtype.kind == "b":
        raise ValueError(
            f"AVEFeatures: {file} holds a mask of {held.size} rows, expected their numbers: save "
            "numpy.flatnonzero(mask)."
        )
    one = held.ndim == 1 or (held.ndim == 2 and 1 in held.shape)
    if not one or held.dtype.kind not in "iuf":
        raise ValueError(
            f"AVEFeatures: {file} holds {ORDER} of {held.dtype} and shape {held.shape}, expected whole numbers in one "
            "dimension, those of the rows: save numpy.array(rows)."
        )
    if others := [row for row in held.ravel().tolist() if row != row or row % 1]:
        raise ValueError(
            f"AVEFeatures: {file} names row {others[0]}, expected whole numbers, counted from 0: get the released file."
        )
    return [int(row) for row in held.ravel()]


def told_other_labels(items: AVEFeatures) -> list[str]:
    """Compares the labels that follow from the annotations with those in `labels.h5`, if that file is there.

    Features have no names: only such labels show that rows of the files and of the annotations are of the same clips.

    Args:
        items: Any split.

    Returns:
        A sentence where some rows differ.

    Raises:
        ValueError: If most rows differ: one of the files is in another order.
    """
    file = items.root / f"{LABELS}.h5"
    if not file.is_file():
        return []
    shape = (len(items.events), SEGMENTS, len(items.classes) + 1)
    with items._open(LABELS) as opened:
        stored = opened.get(KEY)
        if stored is None or stored.shape != shape:
            held = f"{KEY} of {stored.shape}" if stored is not None else f"no {KEY}"
            return [f"{file} holds {held}, expected {KEY} of {shape}: it was not compared with Annotations.txt"]
        found = torch.from_numpy(np.asarray(stored, dtype=np.float32)).argmax(2)
    expected = torch.stack([event_labels(event, items.classes, SEGMENTS) for event in items.events])
    others = (found != expected).any(1).nonzero().flatten().tolist()
    if 2 * len(others) > len(items.events):
        raise ValueError(
            f"AVEFeatures: in {len(others)} of {len(items.events)} rows {file} says something else than "
            "Annotations.txt: the rows are of other clips, or in another order; get both files from one release."
        )
    if not others:
        return []
    return [f"{len(others)} rows of {file} differ from Annotations.txt, which counts, the first row {others[0]}"]


class AVEFeatureSource(Source):
    """AVE's published features (`crossmodal.data.ave_features.AVEFeatures`), for systems that read them."""

    features = "vgg19-vggish"
    preparation = "crossmodal.data.many_videos.prepare_ave_features"

    def __init__(
        self,
        features: Path,
        *,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        background: bool = False,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            features: Folder of the `.h5` files and of `Annotations.txt`.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            background: Adds the 178 clips of background to training, as the weak trainings do.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.folder, self.background = Path(features), background

    def split(self, name: str) -> AVEFeatures:
        """Returns the clips of one split."""
        return AVEFeatures(self.folder, name, background=self.background)

    def ready(self) -> Sequence[str]:
        """Returns sentences about rows whose published labels are others, and rows that stand twice."""
        splits = {name: self.split(name) for name in SPLITS}
        told = told_twice({name: [f"row {row}" for row in items.order] for name, items in splits.items()}, "items")
        # rows of training that are held out have been told
        trained, every = {*splits["train"].order}, splits["train"].events
        new = {name: {*items.order} - (trained if name != "train" else set()) for name, items in splits.items()}
        events = {name: [every[row] for row in sorted(rows)] for name, rows in new.items()}
        return [*told_other_labels(splits["train"]), *told, *told_events(events)]

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the published features {self.folder}"
