"""Digest of how a module is built: modules with equal weights may compute different things."""

import dataclasses
import enum
import functools
import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

DEEPEST = 4
"""Objects in objects that are described; a configuration is not nested deeper."""

# what every module keeps of torch's own: parameters, buffers, hooks, the mode
_OWN = frozenset(vars(nn.Module())) | {"train"}


def architecture_digest(module: nn.Module) -> str:
    """Hashes the class and the plain settings of every module in `module`, by name.

    Settings are attributes of numbers, texts, tensors, functions, containers of them and configuration objects: number
    of heads, shift of a window, activation, epsilon. Names with a leading underscore are left out: there modules keep
    caches, which a forward fills. Together with `fingerprint` it names what an encoder computes; code is known by its
    name alone.

    Args:
        module: Any module; its weights do not matter, and neither does its mode.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, each in sorted(module.named_modules(remove_duplicate=False), key=lambda pair: pair[0]):
        digest.update(f"{name} {_name(type(each))} {each.extra_repr()}\n".encode())
        for key, value in sorted(_public(vars(each)).items()):
            digest.update(f"  {key}={''.join(_described(value))}\n".encode())
    return digest.hexdigest()


def _public(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if not key.startswith("_") and key not in _OWN}


def _described(value: Any, depth: int = 0) -> Iterator[str]:
    """Yields a text of a setting that is the same in every process: no address is in it."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | torch.device):
        yield repr(value)
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {'' if value.is_meta else value.tolist()}"
    elif isinstance(value, nn.Module):
        yield _name(type(value))
    elif isinstance(value, enum.Enum):
        yield f"{_name(type(value))}.{value.name}"
    elif depth < DEEPEST:
        yield from _composed(value, depth + 1)


def _composed(value: Any, depth: int) -> Iterator[str]:
    """Yields a text of a container, a function or an object."""
    if isinstance(value, functools.partial):
        yield from _described((value.func, value.args, value.keywords), depth)
    elif isinstance(value, Mapping):
        yield from (
            text
            for key in sorted(value, key=str)
            for text in (f"{key!r}:" if isinstance(key, str | int) else "", *_described(value[key], depth))
        )
    elif isinstance(value, set | frozenset):
        yield from sorted("".join(_described(each, depth)) for each in value)
    elif isinstance(value, Collection):
        yield f"{_name(type(value))}("
        yield from (f"{text}," for each in value for text in _described(each, depth))
        yield ")"
    elif hasattr(value, "__qualname__"):
        yield _name(value)
    else:
        fields = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else ()
        settings = {name: getattr(value, name) for name in fields} or _public(getattr(value, "__dict__", {}))
        yield _name(type(value))
        yield from _described(settings, depth)


def _name(of: Any) -> str:
    return f"{getattr(of, '__module__', '')}.{of.__qualname__}"
