"""HDF5 file of features, and the folder of finished clips that it is put together from."""

import glob
import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from crossmodal.io import DRAFT, is_draft, make_folder, remove_drafts, whole_file, write_whole

if TYPE_CHECKING:
    import h5py

FEATURE_STREAMS = ("visual", "audio")
PARTS_HEADER = "header.json"
STAMP = "stamp"
"""Column of the file, and entry in the header of a part: digest of what the rows are made of."""


class FeatureFile(NamedTuple):
    """HDF5 file of the features of many clips: `(row, channel)` per stream, a row per segment.

    Every finished clip is a file of its own in `parts`, written whole. The HDF5 file is written last, from what it held
    before and the parts: HDF5 keeps no journal, and a file killed while it grows may be unreadable.

    A clip whose stamp is another than that of its rows is not finished: its film, or an option, has changed. Rows
    without a stamp, of an earlier version, are taken for finished.

    Attributes:
        file: The HDF5 file.
        source: Origin of its rows: the model's identity and the folder of the clips.
        stamps: Id of every clip that is asked for → stamp of what its rows are made of.
    """

    file: Path
    source: Mapping[str, str]
    stamps: Mapping[str, str]

    @property
    def parts(self) -> Path:
        """Returns the folder of finished clips, beside the file; it is removed once the file is written."""
        return self.file.with_name(f"{self.file.name}.parts")

    def check(self) -> None:
        """Checks that file and parts are of this source.

        Raises:
            ValueError: If they are of another one, or the file has clips that are not asked for. Parts of a clip
                that is gone since are left out of the file.
        """
        for place, found in ((self.file, self._attributes()), (self.parts, self._header())):
            if found is not None and (differ := [name for name in self.source if found.get(name) != self.source[name]]):
                both = "; ".join(f"{name}: {found.get(name)!r} there, {self.source[name]!r} now" for name in differ)
                raise ValueError(f"ave features: {place} is of another run or folder ({both}): give another file.")
        if strange := sorted({*self._stored()} - {*self.stamps}):
            raise ValueError(
                f"ave features: {self.file} has {len(strange)} clips that are not asked for, the first {strange[0]!r}: "
                "give another file."
            )

    def begin(self) -> None:
        """Makes `parts`, or clears it of what was half-written."""
        make_folder(self.parts)
        remove_drafts(self.parts)
        for draft in self.file.parent.glob(f"{DRAFT}*.{glob.escape(self.file.name)}"):
            draft.unlink()
        write_whole(self.parts / PARTS_HEADER, json.dumps({**self.source}, indent=2) + "\n")

    def finished(self) -> set[str]:
        """Returns the clips whose rows, in the file or in parts, are of what is there now."""
        return {*self._in_parts(), *self._in_file()}

    def changed(self) -> list[str]:
        """Returns the clips of the file that have rows of something else than what is there now."""
        return sorted({*self._stored()} - self.finished())

    def unstamped(self) -> list[str]:
        """Returns the clips of the file that an earlier version wrote: nothing says what their rows are made of."""
        return sorted(clip for clip, stamp in self._stored_stamps().items() if not stamp)

    def add(self, clip: str, rows: Mapping[str, np.ndarray]) -> None:
        """Keeps the rows of a clip.

        Args:
            clip: Its id.
            rows: Stream → `(segment, channel)`.
        """
        kept = {name: np.ascontiguousarray(rows[name]) for name in FEATURE_STREAMS}
        write_whole(self._part(clip), save(kept, {STAMP: self.stamps[clip]}))

    def close(self, **facts: str) -> int:
        """Writes the file from what is finished, in the order of names; removes `parts`; returns the rows.

        Args:
            **facts: Attributes beside those of `source`, such as the version.
        """
        if self._in_parts() or self.changed():
            # HDF5 may notice a full disk as late as on closing, by a RuntimeError
            fix = "make room there, and run it again"
            with whole_file(self.file, fix=fix, errors=(RuntimeError,)) as draft:
                self._write(draft, facts)
        shutil.rmtree(self.parts)
        return sum(rows.stop - rows.start for rows in self._stored().values())

    def _write(self, draft: Path, facts: Mapping[str, str]) -> None:
        import h5py

        stored, parts, stamps = self._stored(), self._in_parts(), {**self._stored_stamps()}
        stamps.update({clip: self.stamps[clip] for clip in parts})
        with ExitStack() as files:
            old = files.enter_context(h5py.File(self.file)) if stored else {}
            out = files.enter_context(h5py.File(draft, "w"))
            out.attrs.update({**self.source, **facts})
            for clip in sorted(self.finished()):
                rows = load_file(self._part(clip)) if clip in parts else _rows(old, stored[clip])
                _append(out, clip, stamps[clip], rows)

    def _part(self, clip: str) -> Path:
        return self.parts / f"{clip}.safetensors"

    def _header(self) -> dict[str, str] | None:
        header = self.parts / PARTS_HEADER
        return json.loads(header.read_text("utf-8")) if header.is_file() else None

    def _attributes(self) -> dict[str, str] | None:
        import h5py

        if not self.file.exists():
            return None
        try:
            with h5py.File(self.file) as opened:
                return dict(opened.attrs)
        except OSError as error:
            raise ValueError(f"ave features: {self.file} is there, and no HDF5 file: give another name.") from error

    def _in_parts(self) -> set[str]:
        """Returns the clips that are asked for and have a part of what is there now."""
        parts = (part for part in self.parts.glob("*.safetensors") if part.stem in self.stamps and not is_draft(part))
        return {part.stem for part in parts if _stamp_of(part) in ("", self.stamps[part.stem])}

    def _in_file(self) -> set[str]:
        """Returns the clips that are asked for and have rows in the file of what is there now."""
        return {clip for clip, stamp in self._stored_stamps().items() if stamp in ("", self.stamps.get(clip))}

    def _stored_stamps(self) -> dict[str, str]:
        """Returns clip → stamp of its rows in the file, empty where an earlier version wrote them."""
        import h5py

        stored = self._stored()
        if not stored:
            return {}
        with h5py.File(self.file) as opened:
            if STAMP not in opened:
                return dict.fromkeys(stored, "")
            column = opened[STAMP].asstr()
            return {clip: str(column[rows.start]) for clip, rows in stored.items()}

    def _stored(self) -> dict[str, slice]:
        """Returns clip → its rows in the file."""
        import h5py

        if not self.file.exists():
            return {}
        with h5py.File(self.file) as opened:
            names = opened["clip"].asstr()[:] if "clip" in opened else []  # every clip may have changed, and failed
        starts = sorted(np.unique(names, return_index=True)[1].tolist())
        return {str(names[start]): slice(start, end) for start, end in pairwise([*starts, len(names)])}


def _rows(opened: "Mapping[str, h5py.Dataset]", rows: slice) -> dict[str, np.ndarray]:
    return {name: opened[name][rows] for name in FEATURE_STREAMS}


def _stamp_of(part: Path) -> str:
    """Returns the stamp of a part; empty where an earlier version wrote it."""
    with safe_open(part, "np") as opened:
        return (opened.metadata() or {}).get(STAMP, "")


def _append(out: "h5py.File", clip: str, stamp: str, rows: Mapping[str, np.ndarray]) -> None:
    import h5py

    segments = len(rows[FEATURE_STREAMS[0]])
    texts = {"clip": np.array([clip] * segments, object), STAMP: np.array([stamp] * segments, object)}
    seconds = np.arange(segments, dtype=np.int32)
    # always in this order: the same rows make the same bytes
    for name, values in {**{name: rows[name] for name in FEATURE_STREAMS}, **texts, "segment": seconds}.items():
        if name not in out:
            kind = h5py.string_dtype() if name in texts else values.dtype
            shape = values.shape[1:]
            # grown clip by clip: features of all clips may not fit in memory
            out.create_dataset(name, (0, *shape), kind, maxshape=(None, *shape), chunks=(256, *shape))
        table = out[name]
        table.resize(len(table) + segments, axis=0)
        table[-segments:] = values
