"""The checked forward: checks shapes, dtypes and devices of arguments, and shapes of results."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

import torch
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped
from torch import Tensor, nn

from .check_cache import CheckCache, call_signature, first_weight, is_computed, module_state

P = ParamSpec("P")
R = TypeVar("R")

_ENABLED = os.environ.get("CROSSMODAL_SHAPE_CHECKS", "1") != "0"
_checking = ContextVar("crossmodal_shape_checks", default=_ENABLED)
_switches: ContextVar[tuple["shape_checks", ...]] = ContextVar("crossmodal_shape_switches", default=())
# A whole number will do where a float is asked for, as everywhere in Python.
_typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))


class shape_checks:
    """Turns the checks of every `@shaped` function on or off, from here on or for one `with` block.

    The switch is that of the running thread or task: others keep theirs. The environment variable
    `CROSSMODAL_SHAPE_CHECKS=0` starts a process with the checks off.
    """

    def __init__(self, enabled: bool):
        """Sets the switch.

        Args:
            enabled: Whether calls are checked.
        """
        self.enabled, self.is_block = enabled, False
        before = _switches.get()
        if len(before) > 1 and not (before[-1].is_block or before[-2].is_block):
            before = (*before[:-2], before[-1])  # of calls without a block only the last one holds
        _switches.set((*before, self))
        _checking.set(enabled)

    def __enter__(self) -> None:
        self.is_block = True

    def __exit__(self, *_: object) -> None:
        # Blocks may end in any order: what holds is the last one that has not ended. Calls in this one end with it.
        switches = _switches.get()
        at = switches.index(self) if self in switches else len(switches)
        rest = switches[at + 1 :]
        later = next((number for number, one in enumerate(rest) if one.is_block), len(rest))
        kept = (*switches[:at], *rest[later:])
        _switches.set(kept)
        _checking.set(kept[-1].enabled if kept else _ENABLED)


def shaped(function: Callable[P, R]) -> Callable[P, R]:
    """Checks a function against its jaxtyping annotations in eager calls.

    Beyond what jaxtyping and beartype look at, and in the same dimension scope: the annotated tensors inside
    dictionaries, sequences and `NamedTuple`s, taken or returned. Moreover all tensor arguments must share a device, and
    the floating ones, outside autocast, a dtype: the block's own weights included. Under `torch.compile` the raw
    function runs.

    A call with the shapes, dtypes, devices and plain values of one that has passed, and with such a result, is not
    checked again; checked functions that it calls still are, each by the same rule. After two such calls on one module
    only the border is checked, nothing inside, until a submodule is added, replaced, hooked or switched between
    training and evaluation, or the result has another shape or dtype. A call that takes a mask (`Bool`) is always
    checked inside, because values of the mask may decide which shapes are there.

    Args:
        function: A function or method with annotated tensors.

    Returns:
        The checked function, which raises `jaxtyping.TypeCheckError` (a `TypeError`) naming the block, the argument
        and both values.
    """
    # beartype looks at one item of a list, and not at all at the fields of a NamedTuple.
    nested = {name: hint for name, hint in function.__annotations__.items() if _is_nested(hint)}
    nested_result = nested.pop("return", None)
    masks = {name for name, hint in function.__annotations__.items() if "Bool[" in str(hint)} - {"return"}

    def checking(body: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_nested(*args: P.args, **kwargs: P.kwargs) -> R:
            if nested:
                for name, value in _named(function, args, kwargs).items():
                    _check_inside(function, "was given a wrong", name, value, nested.get(name))
            result: R = body(*args, **kwargs)
            _check_inside(function, "returned a wrong", "result", result, nested_result)
            return result

        return jaxtyped(with_nested, typechecker=_typechecker)

    def masked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        given = _named(function, args, kwargs) if masks else {}
        return any(given.get(name) is not None for name in masks)

    checked, cache, has_signature = checking(function), CheckCache(), not is_computed(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling() or not _checking.get():
            return function(*args, **kwargs)
        given = call_signature(args, kwargs) if has_signature else None
        module = args[0] if args and isinstance(args[0], nn.Module) and not masked(args, kwargs) else None
        state = [] if module is None else module_state(module)
        settled = module is not None and cache.is_settled(module, state, given)
        if known := cache.knows(given):
            inside = _checking.set(not settled)
            try:
                result = function(*args, **kwargs)
            finally:
                _checking.reset(inside)
            if not (known := cache.holds(given, result)):
                # The function has run already: only its result is checked, in the scope of the arguments.
                checking(lambda *_, **__: result)(*args, **kwargs)
        else:
            _check_placement(function, args, kwargs)
            result = checked(*args, **kwargs)
        cache.add(given, result)
        if module is not None and known and not settled:
            cache.settle(module, state, given)
        elif module is not None and settled and not known:
            cache.settled.pop(module, None)
        return result

    return call


def check_width(block: object, argument: str, tensor: Tensor, width: int) -> None:
    """Checks the last dimension of a tensor.

    Args:
        block: The block that was built for `width`.
        argument: Name of the tensor in the block's `forward`.
        tensor: Tensor whose last dimension is its width.
        width: Width that the block was built for.

    Raises:
        ValueError: If the last dimension is not `width`, naming block, argument and both numbers.
    """
    if tensor.shape[-1] != width:
        raise ValueError(
            f"{type(block).__name__}: {argument} has width {tensor.shape[-1]} (shape {tuple(tensor.shape)}), but this "
            f"block was built for width {width}: build it for {tensor.shape[-1]}, or pass another {argument}."
        )


def _named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments by name; what a `*args` takes has none."""
    code = function.__code__
    return dict(zip(code.co_varnames[: code.co_argcount], args, strict=False)) | dict(kwargs)


def _is_shape(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def _is_nested(hint: Any) -> bool:
    """Returns whether tensors may hide inside a value of this annotation, where beartype does not look."""
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return True
    hides = get_origin(hint) not in (None, Union, UnionType, Callable)
    return any((hides and _is_shape(part)) or _is_nested(part) for part in get_args(hint))


def _leaves(name: str, value: Any, hint: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yields every annotated tensor inside `value`: its name, itself, its annotation."""
    if get_origin(hint) in (Union, UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        hint = parts[0] if len(parts) == 1 and value is not None else None
    if _is_shape(hint):
        yield name, value, hint
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, inner in type(value).__annotations__.items():
            yield from _leaves(field if name == "result" else f"{name}.{field}", getattr(value, field), inner)
    elif isinstance(value, Mapping) and len(get_args(hint)) == 2:
        for key, item in value.items():
            yield from _leaves(f"{name}[{key!r}]", item, get_args(hint)[1])
    elif isinstance(value, Sequence) and not isinstance(value, str) and get_args(hint):
        hints = get_args(hint) if get_origin(hint) is tuple and Ellipsis not in get_args(hint) else None
        for at, item in enumerate(value):
            yield from _leaves(f"{name}[{at}]", item, hints[at] if hints else get_args(hint)[0])


def _check_inside(function: Callable[..., Any], verb: str, name: str, value: Any, hint: Any) -> None:
    for leaf, tensor, shape in _leaves(name, value, hint):
        if not isinstance(tensor, shape):
            actual = f"{tensor.dtype} {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else f"a {type(tensor)}"
            raise TypeCheckError(
                f"{_name(function)} {verb} {leaf}: it is {actual}, expected {shape.__name__} with the dimensions of "
                "the arguments."
            )


def _check_placement(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Checks that tensors share a device and, the floating ones outside autocast, a dtype; weights included."""
    tensors = {name: value for name, value in _named(function, args, kwargs).items() if isinstance(value, Tensor)}
    if args and isinstance(args[0], nn.Module):
        weight = first_weight(args[0])
        tensors |= {"the block's weights": weight} if weight is not None else {}
    if len(tensors) < 2:
        return
    device = next(iter(tensors.values())).device
    _check_same(function, "device", {name: tensor.device for name, tensor in tensors.items()})
    # There is no autocast on meta: asking for it raises.
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        _check_same(function, "dtype", {name: t.dtype for name, t in tensors.items() if t.is_floating_point()})


def _check_same(function: Callable[..., Any], attribute: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        first, expected = next(iter(values.items()))
        if value != expected:
            verb = "are" if name == "the block's weights" else "is"
            raise TypeCheckError(
                f"{_name(function)}: {first} is {expected} but {name} {verb} {value}: bring them to one {attribute} "
                "with .to(...)."
            )


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
