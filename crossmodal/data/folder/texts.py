"""Many short texts in two arrays: a fifth of the memory of a list, and none of it copied by a process that reads."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Texts(Sequence[str]):
    """An unchangeable sequence of texts.

    Of a list, every process that looks at an item writes its count of references, and so gets a copy of its own: with
    several workers of a `DataLoader` a long list of names grows in memory until each of them has all of it.
    """

    def __init__(self, texts: Iterable[str]):
        encoded = [text.encode() for text in texts]
        self._joined = np.frombuffer(b"".join(encoded), np.uint8)
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        return self._joined[self._ends[at] : self._ends[at + 1]].tobytes().decode()
