"""Counts that add up over batches, so that the value of a metric does not depend on how the clips are batched."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

Counts = TypeVar("Counts", bound=tuple[Tensor, ...])
"""Stands for a `NamedTuple` of tensors, such as `SegmentCounts`."""

Read = Callable[..., tuple[Any, ...]]
"""Turns what `CountMetric.update` is called with, such as `(prediction, batch)`, into the arguments of a count."""


def summed(parts: Iterable[Counts]) -> Counts:
    """Adds the counts of batches, entry by entry.

    `+` would put two tuples behind one another. Across processes, `torch.distributed.all_reduce` of every entry does
    the same, and so does a `CountMetric`.

    Args:
        parts: Counts of one metric, a tuple a batch.

    Raises:
        ValueError: If there is nothing to add, or counts of two metrics.
    """
    given = list(parts)
    if not given:
        raise ValueError("summed: there are no counts to add: pass those of one batch at least.")
    kinds = {type(counts) for counts in given}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"summed: {names} do not add up: pass counts of one metric.")
    return make(type(given[0]), (torch.stack(entries).sum(0) for entries in zip(*given, strict=True)))


def make(kind: type[Counts], entries: Iterable[Tensor]) -> Counts:
    """Builds counts of a kind from their entries, in order."""
    return cast(Counts, cast(Any, kind)._make(entries))


def exact(device: torch.device) -> torch.dtype:
    """Returns the dtype for sums of shares: float64, in which two splits into batches differ by 1e-15."""
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
