"""Tensors inside nested dictionaries and sequences, as models take and return them; and a model without its data."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yields every tensor in `value`: itself, or inside mappings, tuples and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from tensors_in(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from tensors_in(inner)


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Returns `value` with `function` of every tensor in its place; NamedTuples keep their type."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {name: map_tensors(inner, function) for name, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(inner, function) for inner in value))
    if isinstance(value, tuple | list):
        return [map_tensors(inner, function) for inner in value]
    return value


def without_data(value: Any) -> Any:
    """Returns `value` with every tensor on the meta device, of the same layout; no gradient goes into it."""
    return map_tensors(value, lambda tensor: torch.empty_like(tensor, device="meta", requires_grad=False))


def shadow(model: M) -> M:
    """Copies `model` to the meta device, in training mode; no weight is copied, ties and frozen modes stay."""
    memo: dict[int, Any] = {}  # what deepcopy finds here it does not copy: no weight is doubled in memory
    for parameter in model.parameters():
        empty = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
    memo |= {id(buffer): torch.empty_like(buffer, device="meta") for buffer in model.buffers()}
    return copy.deepcopy(model, memo).train()
