"""The part of a model's state that training changes, and its names and values in files."""

import json
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..injection.freezing import stays_in_eval

COMPILED = "_orig_mod."
"""What `torch.compile` puts before the names of a module that it wraps."""

EXTRA = "_extra_state"


def frozen_prefixes(model: nn.Module) -> list[str]:
    """Returns the names of the outermost modules in which nothing is trained.

    They have parameters, none of which takes a gradient, or were frozen by `freeze`: a quantised encoder may keep all
    of its weights in buffers.
    """
    frozen: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in frozen)
        parameters = list(module.parameters())
        still = bool(parameters) or stays_in_eval(module)
        if name and not inside and still and not any(p.requires_grad for p in parameters):
            frozen.append(name)
    return frozen


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Returns the part of the state that training changes: everything outside frozen modules, buffers included.

    Modules whose parameters alone are frozen (`freeze_parameters`) contribute their buffers, which still change. Extra
    state of a module (`get_extra_state`) is a tensor, or what JSON can express, as its bytes; a warning names what is
    neither and is left out.
    """
    prefixes = tuple(f"{name}." for name in frozen_prefixes(model))
    held = tuple(f"{name}." for name, module in model.named_modules() if name and stays_in_eval(module))
    moving = {
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if name and not stays_in_eval(module) and not name.startswith(held)
        for buffer, _ in module.named_buffers(recurse=False)
    }
    state: dict[str, Any] = model.state_dict()
    kept = {name: value for name, value in state.items() if name in moving or not name.startswith(prefixes)}
    tensors = {name: as_tensor(value) for name, value in kept.items()}
    for name in (name for name, tensor in tensors.items() if tensor is None):
        warnings.warn(
            f"adapter_state: {name!r} of this {type(model).__name__} is a {type(kept[name]).__name__}, neither "
            "a tensor nor expressible in JSON: it is left out. Return tensors, numbers, strings, or lists and "
            "dictionaries of them from get_extra_state.",
            stacklevel=2,
        )
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def plainly_named(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns a state under the names that it has before `torch.compile`: those of files."""
    return {plain_name(name): tensor for name, tensor in state.items()}


def plain_name(name: str) -> str:
    """Returns the name that a tensor has before `torch.compile`."""
    return name.replace(COMPILED, "")


def is_extra(name: str) -> bool:
    """Returns whether a name is that of a module's extra state."""
    return name.rpartition(".")[2] == EXTRA


def as_tensor(value: Any) -> Tensor | None:
    """Returns a value of a state as a tensor: itself, or the bytes of its JSON; `None` where JSON cannot express it."""
    if isinstance(value, Tensor):
        return value
    try:
        return torch.frombuffer(bytearray(json.dumps(value, allow_nan=False).encode()), dtype=torch.uint8)
    except (TypeError, ValueError, RecursionError):
        return None


def set_extra_states(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Gives modules their extra state back, as `adapter_state` returned it.

    Raises:
        ValueError: If it is not what the module's own extra state is made of.
    """
    for name, module in model.named_modules():
        key = plain_name(f"{name}.{EXTRA}" if name else EXTRA)
        if key not in state:
            continue
        tensor = state[key]
        if isinstance(module.get_extra_state(), Tensor):
            module.set_extra_state(tensor)
            continue
        try:
            module.set_extra_state(json.loads(bytes(tensor.tolist())))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"load_adapters: {key!r} is no extra state of {type(module).__name__} ({error})."
            ) from error
