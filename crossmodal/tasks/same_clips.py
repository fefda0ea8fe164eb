"""Finds the items of a batch that show the same clip, so that encoders read it once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class ReadOnce(NamedTuple):
    """Different clips of a batch, and where each item finds its own.

    Attributes:
        frames: Of the different clips, in the order in which they first occur.
        wave: The same.
        place: Index of every item's clip among them.
    """

    frames: Float[Tensor, "different segment ..."]
    wave: Float[Tensor, "different segment sample"]
    place: Int64[Tensor, " item"]


class DifferentItems(NamedTuple):
    """Items of a batch of which none equals another.

    Attributes:
        kept: Their indices, in order.
        place: For every item, which of `kept` it equals.
    """

    kept: list[int]
    place: Int64[Tensor, " item"]


def read_each(frames: Tensor, wave: Tensor) -> ReadOnce:
    """Returns a batch as it is, every item with a clip of its own.

    Args:
        frames: `(item, segment, ...)`.
        wave: `(item, segment, sample)`.
    """
    return ReadOnce(frames, wave, torch.arange(frames.shape[0], device=frames.device))


def read_once(frames: Tensor, wave: Tensor) -> ReadOnce:
    """Returns every clip of a batch once; a batch of one, or one whose numbers are not known yet, is left as it is.

    Two clips are the same where all their numbers are equal: nothing else changes for an item.

    Args:
        frames: `(item, segment, ...)`.
        wave: `(item, segment, sample)`.
    """
    found = different_items(frames, wave)
    return read_each(frames, wave) if found is None else ReadOnce(frames[found.kept], wave[found.kept], found.place)


def different_items(*parts: Tensor) -> DifferentItems | None:
    """Finds the different items of a batch; `None` where all differ, or their numbers are not known yet.

    Args:
        *parts: What an item consists of, `(item, ...)` each.
    """
    items, device = parts[0].shape[0], parts[0].device
    # a traced graph must serve every batch, and tensors of the meta device have no numbers
    if torch.compiler.is_compiling() or parts[0].is_meta or items < 2:
        return None
    sums = torch.stack([part.flatten(1).double().sum(1) for part in parts], dim=1).tolist()
    kept: list[int] = []
    place = []
    for item, found in enumerate(sums):
        # sums of unequal items may agree, so all numbers are compared; NaN equals nothing, and is kept apart
        same = (at for at, other in enumerate(kept) if sums[other] == found and _equal(parts, item, other))
        place.append(next(same, len(kept)))
        if place[-1] == len(kept):
            kept.append(item)
    return DifferentItems(kept, torch.tensor(place, device=device)) if len(kept) < items else None


def _equal(parts: Sequence[Tensor], item: int, other: int) -> bool:
    return all(torch.equal(part[item], part[other]) for part in parts)
