"""Stamps: texts that change when what an item or a clip is made of changes; caches are keyed by them."""

from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

DIGEST_BYTES = 8


@runtime_checkable
class Stamped(Protocol):
    """Items that tell what each of them is made of without decoding it: files, options, labels, versions."""

    def stamp(self, index: int) -> str:
        """Returns a text that differs wherever the item does."""


def item_stamp(items: Any, index: int) -> str:
    """Returns sixteen hexadecimal digits that differ where an item does, its labels included.

    Args:
        items: Map-style data set. Where it is not `Stamped`, the item is read and its content is hashed, which is
            always right and takes as long as reading it.
        index: Index of the item.
    """
    if isinstance(items, Stamped):
        return short_digest(items.stamp(index))
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in _bytes(items[index]):
        digest.update(part)
    return digest.hexdigest()


def short_digest(text: str) -> str:
    """Returns sixteen hexadecimal digits that stand for a text."""
    # a name of a file may hold bytes that are no UTF-8
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=DIGEST_BYTES).hexdigest()


def file_stamp(*files: Path) -> str:
    """Returns size and time of change of every file, in order; a missing one is marked as such."""
    return " ".join(map(_of_file, files))


@cache
def library_versions(*packages: str) -> str:
    """Returns name and version of every package: releases of decoders and resamplers differ in the numbers they give.

    Args:
        *packages: Names as they are installed; one that is not installed is marked as such.
    """
    return " ".join(f"{name} {_version(name)}" for name in packages)


def _of_file(file: Path) -> str:
    try:
        found = file.stat()
    except OSError:
        return "missing"
    return f"{found.st_size}@{found.st_mtime_ns}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _bytes(value: Any) -> Iterable[bytes]:
    """Yields the content of a tensor, or of a container of them, with all that tells it from others."""
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        yield from (part for key in sorted(value, key=repr) for part in (repr(key).encode(), *_bytes(value[key])))
    elif isinstance(value, tuple | list):
        yield f"{type(value).__name__} {len(value)}".encode()
        yield from (part for each in value for part in _bytes(each))
    else:
        yield repr(value).encode()
