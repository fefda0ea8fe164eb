"""Index of the cache: which clips of a folder are decoded, which are broken, and why."""

import glob
import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..same_text import NameFinder
from .cache import ClipCache
from .index import ClipIndex
from .labels import Labels

NO_FILE, BROKEN, UNKNOWN = -2, -1, 0
"""Stand for the number of seconds of a clip that has none, or none yet."""


class CacheIndex(NamedTuple):
    """Status of every clip of a folder.

    Attributes:
        keys: Key of each clip in the cache.
        seconds: How many seconds there are of each clip, `NO_FILE`, `BROKEN` or `UNKNOWN`.
        whole: For each clip whether it is, or may be, whole.
        reasons: Path of a broken file → why it cannot be had.
    """

    keys: NDArray[np.uint8]
    seconds: NDArray[np.int32]
    whole: NDArray[np.bool_]
    reasons: dict[str, str]


def read_cache_index(items: ClipIndex, labels: Labels, root: Path, cache: ClipCache) -> CacheIndex:
    """Reads the status of every clip.

    Looks at the files' sizes and times, and at the names of what is in the cache; opens only records of failures.

    Args:
        items: The clips.
        labels: The table that names their files.
        root: Folder of the video files.
        cache: The cache.
    """
    keys = np.zeros((len(items.file), 16), np.uint8)
    known = np.full(len(items.file), NO_FILE, np.int32)
    stored, last, name, found, finder = cache.listing(), -1, "", None, NameFinder(root)
    for item, file in enumerate(items.file.tolist()):
        # items are sorted by file: one `stat` for all clips of a file
        if file != last:
            last, name = file, labels.files[file]
            found = _file(finder.find(name))
        if found is not None:
            key = cache.key(name, found, items.span(item))
            keys[item] = np.frombuffer(key, np.uint8)
            known[item] = stored.get(key, UNKNOWN)
    whole = (known == UNKNOWN) | (known > items.begins)
    reasons: dict[str, str] = {}
    for item in np.flatnonzero(~whole).tolist():
        name = labels.files[int(items.file[item])]
        if name not in reasons:
            line = f"({labels.table}, line {labels.rows.line[items.row[item]]})"
            reasons[name] = _reason(items, item, int(known[item]), cache, keys[item].tobytes()) or (
                f"there is no such file in {root}{'' if reasons else _near(root / name)} {line}."
            )
    return CacheIndex(keys, known, whole, reasons)


def _reason(items: ClipIndex, item: int, known: int, cache: ClipCache, key: bytes) -> str:
    if known == NO_FILE:
        return ""
    if known == BROKEN:
        return cache.reason(key)
    first = int(items.first[item])
    return f"sound with picture ends at {first + known} s, before the event in second {first + items.begins[item]}."


def _file(path: Path) -> os.stat_result | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _near(path: Path) -> str:
    """Returns a hint at the file that may be meant: one of another suffix."""
    names = (glob.escape(path.name), glob.escape(path.stem))
    near = next((found for name in names if (found := sorted(path.parent.glob(f"{name}.*")))), [])
    return f"; is it {near[0].name!r}?" if near else ""
