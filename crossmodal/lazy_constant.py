"""Constants computed from integers on first use, so that no copy of a model can lose them."""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from .precision import for_later_calls

_shared: WeakValueDictionary[tuple[Any, ...], Tensor] = WeakValueDictionary()


class LazyConstant:
    """Computes a constant tensor by `make(*arguments, device=...)` on first use, once per device.

    Equal constants share one tensor for as long as any of them lives: all blocks of an encoder hold one shift mask.
    They are made outside of autocast, and once for each default dtype, so that no call leaves its modes in them.

    It is neither a parameter nor a buffer: `to_empty()`, `load_state_dict(assign=True)`, `.to(...)` and building on the
    meta device cannot empty it. A copy or a pickle carries `make` and `arguments`, not the tensors. Under
    `torch.compile` it is part of the graph (a constant there), so that a compiled forward changes no state.
    """

    def __init__(self, make: Callable[..., Tensor], *arguments: Any):
        """Computes nothing yet.

        Args:
            make: A module-level function (picklable) that returns a new tensor on `device`.
            arguments: What it is called with: hashable numbers, strings and tuples.
        """
        self.make = make
        self.arguments = arguments
        self._kept: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """Returns the constant on `device`. Treat it as read-only."""
        if torch.compiler.is_compiling():
            return self.make(*self.arguments, device=device)
        place = device, torch.get_default_dtype()
        if place not in self._kept:
            recipe = (self.make, *self.arguments, *place)
            if (shared := _shared.get(recipe)) is not None:
                self._kept[place] = shared
                return shared
            with for_later_calls(device):
                made = self.make(*self.arguments, device=device)
            if type(made) is not Tensor:  # a fake tensor belongs to its tracer
                return made
            self._kept[place] = _shared.setdefault(recipe, made)
        return self._kept[place]

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self.make, "arguments": self.arguments, "_kept": {}}
