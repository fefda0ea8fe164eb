"""Counts that add up: what a metric keeps of a batch, so that its value does not depend on how clips are batched."""

from collections.abc import Iterable, Iterator
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor


class Countable(Protocol):
    """A `NamedTuple` of tensors, such as `SegmentCounts`."""

    @classmethod
    def _make(cls, iterable: Iterable[Tensor], /) -> Self: ...

    def __iter__(self) -> Iterator[Tensor]: ...


Counts = TypeVar("Counts", bound=Countable)


def summed(parts: Iterable[Counts]) -> Counts:
    """Adds the counts of batches, entry by entry: those of all clips. (`+` would put two tuples behind one another.)

    Across processes, `torch.distributed.all_reduce` of every entry does the same.

    Raises `ValueError` where there is nothing to add, or counts of two metrics.
    """
    given = list(parts)
    if not given:
        raise ValueError("summed: there are no counts to add: pass those of one batch at least.")
    kinds = {type(counts) for counts in given}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"summed: {names} do not add up: pass counts of one metric.")
    return given[0]._make(torch.stack(entries).sum(0) for entries in zip(*given, strict=True))


def exact(device: torch.device) -> torch.dtype:
    """The dtype of sums of shares: float64, where two splits into batches differ by 1e-15; float32 on MPS."""
    return torch.float32 if device.type == "mps" else torch.float64
