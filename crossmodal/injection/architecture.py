"""Digest of how a module is built: modules with equal weights may compute different things."""

import copyreg
import dataclasses
import enum
import functools
import hashlib
import operator
import types
import warnings
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEEPEST = 4
"""Objects in objects that are described; a configuration is not nested deeper."""

# what every module keeps of torch's own: parameters, buffers, hooks, the mode
_OWN = frozenset(vars(nn.Module())) | {"train"}
_SHORT = bool | int | float | complex | str | bytes | Fraction | Decimal
_NAMED = torch.dtype | torch.device | torch.layout | torch.memory_format | np.dtype | types.EllipsisType
_PARTIAL = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_SETTLED = ("crossmodal.site.Site", "crossmodal.attention.tiling.Windows")
"""Objects of which the first four levels say all: what lies deeper follows, or changes nothing that is computed.

To describe it would give every encoder another digest, so that features that are there were computed again.
"""
# codes of numpy's dtypes whose bytes are their value: no pointers, no padding
_BYTES = frozenset("?bhilqpBHILQPefdFDSUmM")


def architecture_digest(module: nn.Module) -> str:
    """Hashes the class and the settings of every module in `module`, by name.

    Settings are attributes of numbers, texts, tensors, arrays, functions, containers of them and configuration objects:
    number of heads, shift of a window, activation, epsilon. Names with a leading underscore are left out: there modules
    keep caches, which a forward fills. Together with `fingerprint` it names what an encoder computes; code is known by
    its name, that of a lambda by what it does, and both with the values that they enclose.

    What has no content that is the same in every process, such as a lock, or lies in more than four objects within one
    another, counts by its type alone, and a warning names it.

    Args:
        module: Any module; its weights do not matter, and neither does its mode.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, each in sorted(module.named_modules(remove_duplicate=False), key=lambda pair: pair[0]):
        digest.update(f"{name} {_name(type(each))} {each.extra_repr()}\n".encode())
        for key, value in sorted(_public(vars(each)).items()):
            where = f"{name}.{key}" if name else key
            digest.update(f"  {key}={''.join(_described(value, where))}\n".encode())
    return digest.hexdigest()


def _public(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if not key.startswith("_") and key not in _OWN}


def _described(value: Any, where: str, inside: tuple[Any, ...] = ()) -> Iterator[str]:
    """Yields a text of a setting that is the same in every process: no address is in it.

    Args:
        value: The setting.
        where: Its name, for a warning.
        inside: What it lies in, outermost first.
    """
    if value is None or isinstance(value, _SHORT | _NAMED):
        yield repr(value)
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {'' if value.is_meta else value.tolist()}"
    elif isinstance(value, nn.Module):
        yield _name(type(value))
    elif isinstance(value, enum.Enum):
        yield f"{_name(type(value))}.{value.name}"
    elif isinstance(value, PurePath):
        yield f"Path {value.as_posix()!r}"
    elif (outer := next((at for at, each in enumerate(inside) if each is value), None)) is not None:
        yield f"^{len(inside) - outer}"  # it holds itself
    elif len(inside) < DEEPEST or not any(map(_is_settled, inside)):
        yield from _composed(value, where, (*inside, value))


def _composed(value: Any, where: str, inside: tuple[Any, ...]) -> Iterator[str]:
    """Yields a text of a container, a function or an object, which is the last of `inside`."""
    if isinstance(value, functools.partial):
        yield from _described((value.func, value.args, value.keywords), where, inside)
    elif isinstance(value, np.ndarray | np.generic):
        yield from _array(value, where, inside)
    elif isinstance(value, Mapping):
        keys = {
            key: f"{key!r}:" if isinstance(key, str | int) else f"{''.join(_described(key, where, inside))}:"
            for key in value
        }
        for key in sorted(value, key=lambda key: str(key) if isinstance(key, str | int) else keys[key]):
            yield keys[key]
            yield from _described(value[key], where, inside)
    elif isinstance(value, set | frozenset):
        yield ("" if all(isinstance(each, str) for each in value) else ",").join(
            sorted("".join(_described(each, where, inside)) for each in value)
        )
    elif isinstance(value, Collection):
        yield f"{_name(type(value))}("
        yield from (f"{text}," for each in value for text in _described(each, where, inside))
        yield ")"
    elif isinstance(value, types.CodeType):
        yield from _described((value.co_code, value.co_names, value.co_consts), where, inside)
    elif hasattr(value, "__qualname__"):
        yield _name(value)
        yield from _described(enclosed, where, inside) if (enclosed := _enclosed(value)) else ()
    else:
        yield from _object(value, where, inside)


def _array(value: Any, where: str, inside: tuple[Any, ...]) -> Iterator[str]:
    """Yields a text of an array or a scalar of numpy."""
    yield f"{_name(type(value))} {value.dtype.str} {value.shape} "
    if value.dtype.char in _BYTES and not isinstance(value, np.ma.MaskedArray):
        yield hashlib.sha256(value.tobytes()).hexdigest()
    elif isinstance(value, np.generic):
        yield repr(value)
    else:
        yield from _described(value.tolist(), where, inside)


def _enclosed(function: Any) -> dict[str, Any]:
    """Returns what a function computes with beside its arguments, where its name does not say it.

    A function at the top level of a module is known by its name. Variables with a leading underscore are left out.
    """
    found: dict[str, Any] = {}
    if isinstance(function, types.FunctionType) and "<" in function.__qualname__:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        found |= {name: cell.cell_contents for name, cell in cells if name[0] != "_" and cell != types.CellType()}
        given = {"defaults": function.__defaults__, "keywords": function.__kwdefaults__}
        found |= {f"<{name}>": value for name, value in given.items() if value}
        if function.__name__ == "<lambda>":
            found["<code>"] = function.__code__
    owner = getattr(function, "__self__", None)
    # a module is described where it stands; functions of C may belong to a class or a module
    method = isinstance(function, types.MethodType) and not isinstance(owner, nn.Module)
    if method or (isinstance(function, types.BuiltinMethodType) and _is_value(owner)):
        found["<self>"] = owner
    return found


def _is_value(value: Any) -> bool:
    """Returns whether an object is equal to its copies: what others hold, such as a generator of numbers, may move."""
    kinds = () if value is None or isinstance(value, type) else type(value).__mro__[:-1]
    return isinstance(value, _PARTIAL) or any("__eq__" in vars(kind) for kind in kinds)


def _object(value: Any, where: str, inside: tuple[Any, ...]) -> Iterator[str]:
    """Yields a text of an object: its type and its public attributes, or what makes it anew where it has none."""
    yield _name(type(value))
    settings = _settings(value)
    if sum(_is_object(each) for each in inside) > DEEPEST:
        _warn(value, where, f"lies in more than {DEEPEST} objects within one another")
    elif not settings and _is_value(value):
        try:
            # as pickle looks for it: patterns stand in the table alone
            made = copyreg.dispatch_table.get(type(value), operator.methodcaller("__reduce_ex__", 4))(value)
        except Exception:  # how objects of other libraries refuse to be pickled
            _warn(value, where, "has no content that is the same in every process")
        else:
            yield from _described(made if isinstance(made, str) else _listed(made), where, inside)
    else:
        if not settings and not hasattr(value, "__dict__") and type(value) is not object:
            _warn(value, where, "has no content that is the same in every process")
        yield from _described(settings, where, inside)


def _settings(value: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass, or the public attributes of any other object, those in slots among them."""
    if dataclasses.is_dataclass(value) and (fields := dataclasses.fields(value)):
        return {field.name: getattr(value, field.name) for field in fields}
    slots = [vars(kind).get("__slots__", ()) for kind in type(value).__mro__]
    names = [name for of in slots for name in ([of] if isinstance(of, str) else of)]
    held = {name: getattr(value, name) for name in names if not name.startswith("__") and hasattr(value, name)}
    return _public({**held, **getattr(value, "__dict__", {})})


def _listed(made: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns what `__reduce_ex__` gives, with lists in place of its iterators."""
    return tuple(list(part) if isinstance(part, Iterator) else part for part in made)


def _is_settled(value: Any) -> bool:
    """Returns whether an object is of a class of `_SETTLED`, or of one that is derived from these."""
    return any(_name(kind) in _SETTLED for kind in type(value).__mro__)


def _is_object(value: Any) -> bool:
    """Returns whether a value is no container, which are described however deep they are."""
    plain = isinstance(value, functools.partial | Collection | types.CodeType)
    return not plain and not hasattr(value, "__qualname__")


def _warn(value: Any, where: str, why: str) -> None:
    """Warns of what counts by its type alone."""
    warnings.warn(
        f"architecture_digest: {where} is or holds a {_name(type(value))}, which {why}: two encoders that differ in it "
        "alone have the same digest, and features of the one would be taken for those of the other. Keep it under a "
        "name with a leading underscore if it is no setting, or keep what it is made from beside it.",
        stacklevel=2,
    )


def _name(of: Any) -> str:
    return f"{getattr(of, '__module__', '')}.{of.__qualname__}"
