"""Caches successful shape checks, keyed by shapes and dtypes of the call."""

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

AUTOCAST = ("cpu", "cuda", "mps")
"""Devices whose autocast is part of a signature; calls with tensors of others have none."""

PLAIN = (bool, int, str, type(None), torch.dtype, torch.device)
LIMIT = 4096
"""Number of signatures that are kept of one function; more empty the cache."""


class NoSignature(Exception):
    """Raised for a value of which no key says all that a check may ask."""


class CheckCache:
    """Holds the signatures of the calls of one function that have passed its checks, and of what they returned.

    A call on a module is *settled* once its insides have been checked too: a later call with the same signature need
    not check them again, unless a module inside was added, replaced, hooked or switched between training and evaluation
    since.
    """

    def __init__(self) -> None:
        self.results: dict[Hashable, set[Hashable]] = {}
        # weak: a function outlives the models that it ran on
        self.settled: WeakKeyDictionary[nn.Module, tuple[list[Any], set[Hashable]]] = WeakKeyDictionary()

    def knows(self, call: Hashable | None) -> bool:
        """Returns whether a call with this signature has passed."""
        return call is not None and call in self.results

    def holds(self, call: Hashable, result: Any) -> bool:
        """Returns whether a call with this signature has returned such a result."""
        found = signature(result)
        return found is not None and found in self.results.get(call, ())

    def add(self, call: Hashable | None, result: Any) -> None:
        """Keeps a call that has passed."""
        found = signature(result)
        if call is None or found is None:
            return
        if len(self.results) >= LIMIT:
            self.results.clear()
        self.results.setdefault(call, set()).add(found)

    def is_settled(self, module: nn.Module, state: list[Any], call: Hashable | None) -> bool:
        """Returns whether the insides of a call on `module`, in this `module_state`, have been checked."""
        before, calls = self.settled.get(module, (None, ()))
        return call in calls and before == state

    def settle(self, module: nn.Module, state: list[Any], call: Hashable) -> None:
        """Keeps that the insides of a call on `module`, in this `module_state`, have been checked."""
        before, calls = self.settled.get(module, (None, set[Hashable]()))
        self.settled[module] = state, {call} if before != state or len(calls) >= LIMIT else calls | {call}


def signature(value: Any) -> Hashable | None:
    """Returns a key that two values share only if they pass the same checks; `None` where there is no such key."""
    try:
        return _key(value)
    except NoSignature:
        return None


def call_signature(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable | None:
    """Returns the signature of a call, the state of autocast included."""
    found = signature((args, kwargs))
    return None if found is None else (found, *map(torch.is_autocast_enabled, AUTOCAST))


def _key(value: Any) -> Hashable:
    """Shape, dtype and device of a tensor; the keys inside a container; kind and first weight of a module."""
    kind = type(value)
    if isinstance(value, Tensor):
        device = value.device
        if device.type not in AUTOCAST and device.type != "meta":
            raise NoSignature
        return kind, value.shape, value.dtype, device
    # bool, int and str by value: a Literal or a size is part of the check.
    if isinstance(value, PLAIN):
        return kind, value
    if isinstance(value, nn.Module):
        weight = first_weight(value)
        return (kind,) if weight is None else (kind, weight.dtype, weight.device)
    if isinstance(value, tuple | list):
        return kind, *map(_key, value)
    if isinstance(value, dict):
        return (kind, *value, *map(_key, value.values()))
    # A class may be subscripted, and an iterator would be used up by reading it.
    if isinstance(value, type) or hasattr(kind, "__iter__"):
        raise NoSignature
    return (kind,)


def module_state(module: nn.Module) -> list[Any]:
    """Lists a module's submodules, their modes and their hooks, to be compared with `==`.

    References are weak, so that nothing is kept alive, and a module at the address of a freed one is another one.
    """
    found: list[Any] = []
    waiting = [module]
    for one in waiting:
        own = one.__dict__  # cheaper than attributes: a model has thousands of modules, and is asked at every call
        found.append(ref(one))
        found.append(own.get("training"))  # a scripted module has none
        if own["_forward_hooks"] or own["_forward_pre_hooks"]:
            found += [*own["_forward_hooks"], *own["_forward_pre_hooks"]]
        if own["_modules"]:
            waiting += [child for child in own["_modules"].values() if child is not None]
    return found


def first_weight(module: nn.Module) -> nn.Parameter | None:
    """Returns the first floating parameter of a module, as `parameters()` orders them."""
    for parameter in module._parameters.values():
        if parameter is not None and parameter.is_floating_point():
            return parameter
    for child in module._modules.values():
        if child is not None and (weight := first_weight(child)) is not None:
            return weight
    return None


def is_computed(function: Callable[..., Any]) -> bool:
    """Returns whether a dimension of the annotations is computed from values (`{self.width}`): no signature has it."""
    return any("{" in str(getattr(hint, "dim_str", hint)) for hint in function.__annotations__.values())
