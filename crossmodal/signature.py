"""What a call looks like to the checks: calls that look alike pass alike, and need not be looked at again."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

AUTOCAST = ("cpu", "cuda", "mps")
"""Devices whose autocast is part of a look; tensors of others cannot be told."""

PLAIN = (bool, int, str, type(None), torch.dtype, torch.device)
KEPT = 4096
"""Looks that are kept of one function."""


class CannotBeTold(Exception):
    """A value whose look does not say all that a check may ask of it."""


def look(value: Any) -> Hashable:
    """Shape, dtype and device of a tensor; of containers the looks inside; of a module its kind and first weight."""
    kind = type(value)
    if isinstance(value, Tensor):
        device = value.device
        if device.type not in AUTOCAST and device.type != "meta":
            raise CannotBeTold
        return kind, value.shape, value.dtype, device
    if isinstance(value, PLAIN):
        return kind, value
    if isinstance(value, nn.Module):
        weight = first_weight(value)
        return (kind,) if weight is None else (kind, weight.dtype, weight.device)
    if isinstance(value, tuple | list):
        return kind, *map(look, value)
    if isinstance(value, dict):
        return (kind, *value, *map(look, value.values()))
    if isinstance(value, type) or hasattr(kind, "__iter__"):
        raise CannotBeTold
    return (kind,)


def look_of_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable | None:
    """The look of what a function is called with, autocast included; `None` where it cannot be told."""
    try:
        found = (
            *map(look, args),
            None,
            *kwargs,
            *map(look, kwargs.values()),
            *map(torch.is_autocast_enabled, AUTOCAST),
        )
        hash(found)
    except (CannotBeTold, TypeError):
        return None
    return found


def look_of_result(result: Any) -> Hashable | None:
    """The look of what a function returned; `None` where it cannot be told."""
    try:
        found = look(result)
        hash(found)
    except (CannotBeTold, TypeError):
        return None
    return found


def first_weight(module: nn.Module) -> nn.Parameter | None:
    """The first floating parameter of a module, as `parameters()` orders them."""
    for parameter in module._parameters.values():
        if parameter is not None and parameter.is_floating_point():
            return parameter
    for child in module._modules.values():
        if child is not None and (weight := first_weight(child)) is not None:
            return weight
    return None


class Passed:
    """The looks of the calls of one function that have passed its checks, and of what they returned."""

    def __init__(self) -> None:
        self.results: dict[Hashable, set[Hashable]] = {}

    def knows(self, given: Hashable | None) -> bool:
        """Whether a call of that look has passed."""
        return given is not None and given in self.results

    def holds(self, given: Hashable | None, result: Any) -> bool:
        """Whether a call of that look has returned what looks so."""
        found = look_of_result(result)
        return found is not None and found in self.results.get(given, ())

    def add(self, given: Hashable | None, result: Any) -> None:
        """Keeps a call that has passed; forgets all where there are too many."""
        found = look_of_result(result)
        if given is None or found is None:
            return
        if len(self.results) >= KEPT:
            self.results.clear()
        self.results.setdefault(given, set()).add(found)


def computed(function: Callable[..., Any]) -> bool:
    """Whether a dimension of the annotations is computed from values (`{self.width}`): then looks say too little."""
    return any("{" in str(getattr(hint, "dim_str", hint)) for hint in function.__annotations__.values())
