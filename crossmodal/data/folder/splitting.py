"""Splits of files into training, validation and test: by seed, every class in its share, no file in two of them."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_TRAIN, _VAL, _TEST = range(3)
_HELD_OUT = 0.1


def stratified(names: Sequence[str], classes_of: Sequence[Sequence[int]], seed: int) -> NDArray[np.int8]:
    """Draws the split of each file.

    Of a class 80 % are for training and 10 % each, one file at least, for validation and test; a class of one file is
    trained on, of two one is tested on. Classes come in order from the rarest to the commonest, and of each the files
    that are left go where it lacks most of its share: exact where a file has one class. Every class is in training.

    Args:
        names: Names of the files; the order in which they are drawn follows from `seed` and the name alone.
        classes_of: Classes of each file, one or several.
        seed: Seed of the draw.

    Returns:
        0, 1 or 2 per file, for training, validation and test.

    Source: after Sechidis et al., *On the Stratification of Multi-Label Data*, 2011.
    """
    # by a hash of the name: a file keeps its place in the order when others are added or removed
    order = sorted(range(len(names)), key=lambda file: _drawn(seed, names[file]))
    files: dict[int, list[int]] = {}
    for file in order:
        for label in classes_of[file]:
            files.setdefault(label, []).append(file)
    split = [-1] * len(names)
    needs = {label: wanted(len(of)) for label, of in files.items()}
    for label in sorted(files, key=lambda label: (len(files[label]), label)):
        for file in files[label]:
            if split[file] < 0:
                # `max` takes the first of equals: training, then test, then validation
                split[file] = max((_TRAIN, _TEST, _VAL), key=needs[label].__getitem__)
                for each in classes_of[file]:
                    needs[each][split[file]] -= 1
    for of in files.values():
        # happens where all files of a class went elsewhere for the sake of a rarer class
        if all(split[file] != _TRAIN for file in of):
            split[of[0]] = _TRAIN
    return np.array(split, np.int8)


def wanted(files: int) -> list[int]:
    """Returns how many files of a class of so many go to training, validation and test."""
    if files < 3:
        return [1, 0, files - 1]
    held_out = max(1, round(files * _HELD_OUT))
    return [files - 2 * held_out, held_out, held_out]


def _drawn(seed: int, name: str) -> bytes:
    return blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
