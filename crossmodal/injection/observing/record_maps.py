"""All maps of a model in one dictionary, recorded from outside while it runs as it always does."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..missing import rows_under_way
from .find_adapters import check_uncompiled, find_map_modules, recomputing


@contextmanager
def record_maps(model: nn.Module, *, device: torch.device | str | None = None) -> Iterator[dict[str, Tensor]]:
    """Records the maps of a model: yields a dictionary that its forwards inside the block fill.

    `with record_maps(model) as maps: model(frames, wave)`: then
    `maps["coupled.couplers.stages2_5_attention.audio_visual.spatial"]` is the map `spatial` of that adapter; for any
    tree of modules that holds couplers, an `Injected`, or modulations of its own. Recorded is what adapters return:
    outputs and gradients are the same as without, bit for bit. The maps are detached; of several forwards the last one
    stays. Frames that lack a modality have zeros in the maps that it guides, as in those of a `Lockstep`. Blocks may be
    nested. A model without maps records nothing.

    Args:
        model: Any model.
        device: Where the maps are kept, as in `"cpu"`; `None` leaves them where they are.

    Raises:
        ValueError: If a map lies in what `torch.compile` has compiled; a function compiled around the model is not
            seen, and records nothing.
    """
    found, maps, batches = find_map_modules(model), dict[str, Tensor](), dict[str, object]()
    check_uncompiled(model, found, "record_maps")
    handles = [
        module.register_forward_hook(partial(_keep, maps, batches, name, device)) for name, module in found.items()
    ]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _keep(
    maps: dict[str, Tensor],
    batches: dict[str, object],
    name: str,
    device: torch.device | str | None,
    module: nn.Module,
    given: Any,
    output: Any,
) -> None:
    """Keeps the maps of an adapter or a modulation that ran, but not of the second run of a checkpoint.

    Where a modality is missing from some frames, a batch runs as several groups: their maps become one of the batch.
    """
    if recomputing():
        return
    _, made = output
    under_way = rows_under_way()
    for kind, values in made.items():
        key, values = f"{name}.{kind}" if name else kind, values.detach()
        values = values if device is None else values.to(device)
        batch = None
        if under_way is not None and len(values) % len(under_way.rows) == 0:  # else it is no map of these frames
            batch = under_way.batch
            values = under_way.scattered(values, maps[key] if batches.get(key) is batch else None)
        maps[key], batches[key] = values, batch
