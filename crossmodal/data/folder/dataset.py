"""Data set of a folder of video files and a table of labels: decoded once, kept on disk, a clip at a time in memory."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..clip import LabelledClip, Preprocess
from .cache import ClipCache, Decoded
from .cache_index import UNKNOWN, CacheIndex, read_cache_index
from .check_labels import check_ends, check_reserved_labels
from .decode import DecodeResult, Undecoded, decode
from .index import build_index, clip_names
from .labels import Labels, event_seconds, read_labels
from .windowing import EventWindows, Span, Windowing

MapFiles = Callable[[Callable[[Undecoded], DecodeResult], Sequence[Undecoded]], Iterable[DecodeResult]]
"""Applies a function to many files, as `map` does, in any order."""


class Folder(Dataset[LabelledClip]):
    """Clips of a folder of video files, labelled by a CSV of the columns `file,label[,start,end][,split]`.

    An item is a clip of `segments` seconds with one event, its label in the event's seconds and background in others.
    A second belongs to an event whose time holds its middle. Which clips there are, and how short ones are filled up,
    is decided by `windowing`.

    A file is decoded once, when `prepare` is called or a clip of it is first read, and its clips are kept in `cache`,
    at the size and rate of `preprocess`: see `ClipCache`. Frames are rounded to whole levels there. Nothing is kept in
    memory but the table, in arrays that workers share.

    A clip is broken where its file is missing, cannot be decoded, or ends before the event. What is known to be so is
    left out and listed in `broken`, or refused, when the data set is made and after `prepare`; a clip that is found
    broken only when it is read raises, for its length cannot change in the middle of a training.
    """

    def __init__(
        self,
        videos: str | Path,
        labels: str | Path | Labels,
        split: str | None = None,
        preprocess: Preprocess | None = None,
        *,
        segments: int = 10,
        windowing: Windowing | None = None,
        cache: str | Path | None = None,
        broken: Literal["skip", "raise"] = "skip",
    ):
        """Reads the labels, and looks at the files and the cache; decodes nothing.

        Args:
            videos: Folder of the video files.
            labels: The CSV, or what `read_labels` made of it.
            split: `"train"`, `"val"`, `"test"`, or `None` for all; drawn where the table gives none (`read_labels`).
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            segments: Seconds of a clip.
            windowing: `EventWindows()`, the default, or `TrimmedClips()`.
            cache: Folder of decoded clips; `<videos>.cache` by default.
            broken: `"skip"` leaves broken clips out, `"raise"` refuses the first one.

        Raises:
            FileNotFoundError: If there is no such folder, or no such table.
            ValueError: If the table cannot be understood, a class bears a reserved name, an event ends far behind its
                film, or a split has no clip, or none that is not broken.
        """
        self.root = Path(videos)
        if not self.root.is_dir():
            raise FileNotFoundError(f"Folder: there is no folder {videos}: give the one that holds the video files.")
        if segments < 1:
            raise ValueError(f"Folder: segments={segments} must be at least 1.")
        if broken not in ("skip", "raise"):
            raise ValueError(f"Folder: broken={broken!r} must be 'skip' or 'raise'.")
        self.labels = labels if isinstance(labels, Labels) else read_labels(labels)
        self.split, self.segments, self.on_broken = split, segments, broken
        self.preprocess, self.windowing = preprocess or Preprocess(), windowing or EventWindows()
        # resolved, for a folder given as "." has no name
        place = Path(cache) if cache is not None else self.root.resolve().with_name(f"{self.root.resolve().name}.cache")
        self.cache = ClipCache(place, self.preprocess)
        check_reserved_labels(self.labels, self.windowing)
        check_ends(self.labels, self.root)
        self._items = build_index(self.labels, self.labels.of_split(split), self.windowing, segments)
        self._look(retry=True)

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the names of the events, background not counted."""
        return self.labels.classes

    @property
    def background(self) -> int:
        """Returns the label of a second without an event: the index behind the last class."""
        return len(self.classes)

    @property
    def videos(self) -> list[str]:
        """Returns the file of every item, by its path in the folder."""
        return [self.labels.files[file] for file in self._items.file[self._kept]]

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every item: its file, with `@10s` and `#label` where the file has more."""
        return [
            name for name, kept in zip(clip_names(self._items, self.labels), self._state.whole, strict=True) if kept
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Returns how many clips there are of each class."""
        found = np.bincount(self._items.label[self._kept], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist(), strict=True))

    @property
    def left_out(self) -> int:
        """Returns how many clips of the split are broken."""
        return len(self._state.whole) - len(self)

    @property
    def undecoded(self) -> list[Undecoded]:
        """Returns the files of which clips are not in the cache."""
        found: dict[int, dict[bytes, Span]] = {}
        for item in np.flatnonzero(self._state.seconds == UNKNOWN).tolist():
            spans = found.setdefault(int(self._items.file[item]), {})
            spans[self._state.keys[item].tobytes()] = self._items.span(item)
        return [Undecoded(self.labels.files[file], spans) for file, spans in found.items()]

    @property
    def filled(self) -> tuple[int, int]:
        """Returns how many decoded clips are shorter than `segments`, and how many seconds were added to them."""
        known = self._state.seconds[self._kept]
        lacking = (self.segments - known)[(known != UNKNOWN) & (known < self.segments)]
        return len(lacking), int(lacking.sum())

    def prepare(self, run: MapFiles = map) -> None:
        """Decodes what is not in the cache yet, and finds what is broken; the length of the data set may shrink.

        What was done stays where this is ended, and is not done again. Of several processes one works, the others wait.
        Files that failed for the machine (no memory, a share that was away, a worker that died) are tried again.

        Args:
            run: Applies a function to many files, as `map` does in this process; `Pool(8).imap_unordered` of
                `multiprocessing` will do, or `in_processes` of `crossmodal.data.folder.source`.

        Raises:
            ValueError: For the first broken clip, if `broken="raise"`.
            OSError: If the cache cannot be written.
        """
        with self.cache.alone():
            self.cache.forget_passing()
            self._look()
            for outcome in run(partial(decode, videos=self.root, cache=self.cache), self.undecoded):
                for key, reason in outcome.reasons.items():
                    self.cache.put_reason(key, outcome.file, reason, passing=outcome.passing)
                if outcome.reasons and self.on_broken == "raise":
                    break
            self._look()

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> LabelledClip:
        item = int(self._kept[index])
        clip = self.preprocess(*self._decoded(item))
        labels = self._labels(item)[: len(clip.wave)]
        return self.windowing.fill(LabelledClip(*clip, labels), self.segments, self.background)

    def stamp(self, index: int) -> str:
        """Returns a text that changes with the film, the clip's seconds, its labels and what decodes it."""
        item = int(self._kept[index])
        # not its repr, which would be an address
        policy = f"{type(self.windowing).__qualname__} {getattr(self.windowing, '__dict__', '')}"
        filled = f"{policy} {self.segments} {self.background}"
        return f"{self._state.keys[item].tobytes().hex()} {self._labels(item).tolist()} {filled} {self.preprocess}"

    def _decoded(self, item: int) -> Decoded:
        """Returns a clip from the cache, or else from its file."""
        key, name = self._state.keys[item].tobytes(), self.labels.files[int(self._items.file[item])]
        stored, reason = self.cache.find(key), "its clip is not in the cache."
        if stored is None:
            work = Undecoded(name, {key: self._items.span(item)})
            reason = decode(work, videos=self.root, cache=self.cache).reasons.get(key, reason)
            stored = self.cache.find(key)
        if stored is not None and len(stored.wave) <= self._items.begins[item]:
            stored, reason = None, "its sound with picture ends before the event."
        if stored is None:
            raise ValueError(
                f"Folder: {name} cannot be read: {reason} `prepare()` finds such files beforehand, leaves them out and "
                "lists them."
            )
        return stored

    def _labels(self, item: int) -> Tensor:
        """Returns the labels of the whole span of an item."""
        rows, span = self.labels.rows, self._items.span(item)
        labels = torch.full((span.length,), self.background)
        for row in range(self._items.row[item], self._items.stop[item]):
            if np.isnan(rows.start[row]):
                begin, stop = 0, span.length
            else:
                begin, stop = (second - span.first for second in event_seconds(rows.start[row], rows.end[row]))
            labels[max(begin, 0) : max(stop, 0)] = int(rows.label[row])
        return labels

    def _look(self, *, retry: bool = False) -> None:
        """Reads what is in the cache, and what is broken.

        Args:
            retry: Whether to forget failures that may pass rather than to refuse the data set for them.
        """
        self._state: CacheIndex = read_cache_index(self._items, self.labels, self.root, self.cache)
        self.broken = self._state.reasons
        self._kept = np.flatnonzero(self._state.whole)
        refused = (self.broken and self.on_broken == "raise") or not len(self._kept)
        if retry and refused and self.cache.forget_passing():
            self._look()
            return
        said = [f"{file}: {reason}" for file, reason in list(self.broken.items())[:1]]
        if said and self.on_broken == "raise":
            raise ValueError(f"Folder: {said[0]} Mend it, or leave such files out by broken='skip'.")
        if not len(self._kept):
            raise ValueError(
                f"Folder: of the {len(self._state.whole)} clips{f' of the split {self.split}' if self.split else ''} "
                f"none can be had; the first is {said[0]}"
            )
