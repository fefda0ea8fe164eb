"""How much one run proves: steps of its training, items of its test, and the interval of its score."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any

import torch

from crossmodal.metrics import nested_interval

from .predictions import ItemRow

STEPS, INTERVAL = "steps", "interval"
"""Of a summary: steps of the training; ends of the interval of the monitored score, and the items it is taken over."""

FEW_STEPS, FEW_ITEMS = 100, 50
"""A run of fewer steps, or tested on fewer items, is told to prove little."""


def interval_of(rows: Sequence[ItemRow], score: float) -> dict[str, Any] | None:
    """Computes the 95 % interval of a score by the bootstrap over the test items of one run.

    Args:
        rows: Index of the item and row, of all items.
        score: The score that the rows add up to.

    Returns:
        Both ends and the number of items; `None` where the score is no mean over the rows, or there are none.
    """
    items = sorted({item for item, _ in rows})
    place = {item: at for at, item in enumerate(items)}
    values, weights = torch.zeros(2, len(items), dtype=torch.float64)
    for item, row in rows:
        values[place[item]] += row.value
        weights[place[item]] += row.weight
    counted = weights > 0
    if not counted.any():
        return None
    found = nested_interval([values[counted]], [weights[counted]])
    if not isclose(found.value, score, abs_tol=1e-3):  # an average over classes, say
        return None
    return {"low": found.low, "high": found.high, "items": int(counted.sum())}


def evidence(summary: Mapping[str, Any], monitor: str) -> Iterator[str]:
    """Yields sentences on how much a tested run proves.

    Args:
        summary: Of the run.
        monitor: Name of the score that counts.
    """
    interval, steps = summary.get(INTERVAL), summary.get(STEPS)
    if interval:
        yield (
            f"95 % interval of {monitor}: {100 * interval['low']:.1f} … {100 * interval['high']:.1f} %, by the "
            f"bootstrap over {interval['items']} test items; another seed may differ by more"
        )
        chance = summary.get("chance", {}).get(monitor)
        if chance is not None and interval["low"] <= chance <= interval["high"]:
            yield f"chance, {100 * chance:.1f} %, lies within that interval: the run is not shown to be better"
    few = []
    if steps is not None and steps < FEW_STEPS:
        few.append(f"{steps} steps of training (fewer than {FEW_STEPS})")
    if interval and interval["items"] < FEW_ITEMS:
        few.append(f"{interval['items']} test items (fewer than {FEW_ITEMS})")
    if few:
        yield f"this run proves little: {' and '.join(few)}"
