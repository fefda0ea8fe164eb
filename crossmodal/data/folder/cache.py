"""Decoded clips on disk: a file each, found by what it was made from, written whole or not at all."""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...io import folder_lock, make_folder, remove_drafts, write_whole
from ..clip import Preprocess
from ..decoding import decoder_versions
from .windowing import Span

CACHE_FORMAT = 2
BROKEN_FOLDER = "broken"

logger = logging.getLogger("crossmodal")


class Decoded(NamedTuple):
    """Clip at the size and rate of a model, not yet normalised: frames in 0…255, sound in [-1, 1]."""

    frames: Tensor
    wave: Tensor


class ClipCache:
    """Cache of clips: `<folder>/ab/<key>-<seconds>.safetensors`, or why there is none: `<folder>/broken/<key>.json`.

    A key is made of the file's path within its folder, its size and time of change, the span, what frames and sound are
    brought to (size and rate; not the normalisation), and the versions of what decodes and resamples them: releases
    differ in colours. So a file that changes is decoded anew, and a folder that is moved is not. Any number of
    processes may read and write at once. A second takes `3 · size² + 4 · rate` bytes.
    """

    def __init__(self, folder: Path, preprocess: Preprocess):
        """Names the place; nothing is made before it is written.

        Args:
            folder: Folder of the cache.
            preprocess: Size and rate of the clips; its normalisation is left to the reader.
        """
        self.folder = folder
        # normalised when it is read, so that models with other means share a cache
        self.plain = dataclasses.replace(preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        self._made_by = f"{CACHE_FORMAT} {self.plain} {decoder_versions()}"

    def key(self, name: str, stat: os.stat_result, span: Span) -> bytes:
        """Returns sixteen bytes that name a clip."""
        made_of = f"{self._made_by} {name!r} {stat.st_size} {stat.st_mtime_ns} {span.first} {span.length}"
        return blake2b(made_of.encode(), digest_size=16).digest()

    def listing(self) -> dict[bytes, int]:
        """Returns key → seconds of the clip, or -1 where it is recorded as broken."""
        found: dict[bytes, int] = {}
        for folder in self._folders():
            for entry in os.scandir(folder):
                stem, _, kind = entry.name.partition(".")
                key, _, seconds = stem.partition("-")
                if kind in ("safetensors", "json") and len(key) == 32:
                    found[bytes.fromhex(key)] = int(seconds or -1)
        return found

    def find(self, key: bytes) -> Decoded | None:
        """Returns a clip, or `None` where there is none, or none that is whole."""
        for file in self._shelf(key).glob(f"{key.hex()}-*.safetensors"):
            try:
                with safe_open(file, "pt") as stored:
                    return Decoded(stored.get_tensor("frames"), stored.get_tensor("wave"))
            except (SafetensorError, OSError):
                logger.warning("Folder: %s is damaged: its clip is decoded again.", file)
        return None

    def put(self, key: bytes, clip: Decoded) -> None:
        """Keeps a clip.

        Raises:
            OSError: If it cannot be written.
        """
        content = save({name: part.contiguous() for name, part in clip._asdict().items()})
        _write(self._shelf(key) / f"{key.hex()}-{len(clip.wave)}.safetensors", content)

    def put_reason(self, key: bytes, name: str, reason: str, *, passing: bool = False) -> None:
        """Records why a clip cannot be had.

        Args:
            key: Key of the clip.
            name: Path of its file.
            reason: Why, in words.
            passing: Whether the same file may be read another time: `forget_passing` removes the record.

        Raises:
            OSError: If it cannot be written.
        """
        record = {"file": name, "reason": reason, "passing": passing}
        _write(self.folder / BROKEN_FOLDER / f"{key.hex()}.json", json.dumps(record).encode())

    def forget_passing(self) -> int:
        """Removes the records of failures that may pass, so that their clips are tried again; returns how many."""
        found = [
            file
            for file in (self.folder / BROKEN_FOLDER).glob("*.json")
            if json.loads(file.read_text("utf-8")).get("passing")
        ]
        for file in found:
            file.unlink(missing_ok=True)
        return len(found)

    def reason(self, key: bytes) -> str:
        """Returns why a clip cannot be had."""
        record = json.loads((self.folder / BROKEN_FOLDER / f"{key.hex()}.json").read_text("utf-8"))
        return str(record["reason"])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other process prepares clips here; then removes what killed ones left half written."""
        _make(self.folder)

        def say() -> None:
            logger.warning("Folder: another process prepares clips in %s: waiting for it.", self.folder)

        with folder_lock(self.folder, on_wait=say):
            remove_drafts(*map(Path, self._folders()))
            yield

    def _folders(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return [entry.path for entry in os.scandir(self.folder) if entry.is_dir()]

    def _shelf(self, key: bytes) -> Path:
        return self.folder / key.hex()[:2]


def _write(file: Path, content: bytes) -> None:
    _make(file.parent)
    write_whole(file, content, before="Folder: ", fix="make room there, or give another cache=")


def _make(folder: Path) -> None:
    make_folder(folder, before="Folder: the cache ", fix="give another cache=")
