"""The checked forward: shapes, dtypes and devices of what goes in, shapes of what comes out."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import torch
from beartype import beartype
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped
from torch import Tensor, nn

P = ParamSpec("P")
R = TypeVar("R")

_enabled = os.environ.get("CROSSMODAL_SHAPE_CHECKS", "1") != "0"


class shape_checks:
    """Turns the checks of every `@shaped` function on or off, from here on or for one `with` block.

    The environment variable `CROSSMODAL_SHAPE_CHECKS=0` starts a process with the checks off.
    """

    def __init__(self, enabled: bool):
        global _enabled
        self._before, _enabled = _enabled, enabled

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        global _enabled
        _enabled = self._before


def shaped(function: Callable[P, R]) -> Callable[P, R]:
    """Checks a function against its jaxtyping annotations at every eager call.

    Beyond the annotated arguments and result, in the same dimension scope: the annotated fields of a returned
    `NamedTuple`, the values of its annotated dicts, and that all tensors share the device and floating dtype of each
    other and of the block's own weights. Under `torch.compile` the raw function runs.

    Raises `jaxtyping.TypeCheckError` (a `TypeError`) naming the block, the argument and both values.
    """

    @functools.wraps(function)
    def with_fields(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        _check_fields(function, result)
        return result

    checked = jaxtyped(with_fields, typechecker=beartype)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling() or not _enabled:
            return function(*args, **kwargs)
        _check_placement(function, args, kwargs)
        return checked(*args, **kwargs)

    return call


def check_width(block: object, argument: str, tensor: Tensor, width: int) -> None:
    """Raises `ValueError` where the last dimension of `tensor` is not `width`, naming block, argument and both."""
    if tensor.shape[-1] != width:
        raise ValueError(
            f"{type(block).__name__}: {argument} has width {tensor.shape[-1]} (shape {tuple(tensor.shape)}), but this "
            f"block was built for width {width}: build it for {tensor.shape[-1]}, or pass another {argument}."
        )


def _check_fields(function: Callable[..., Any], result: object) -> None:
    if not (isinstance(result, tuple) and hasattr(result, "_fields")):
        return
    for field, annotation in _field_annotations(type(result)).items():
        value = getattr(result, field)
        if _is_shape(annotation):
            _check_value(function, f"field {field!r}", value, annotation)
        elif get_origin(annotation) is dict and isinstance(value, Mapping) and _is_shape(get_args(annotation)[1]):
            for name, item in value.items():
                _check_value(function, f"{field}[{name!r}]", item, get_args(annotation)[1])


@functools.cache
def _field_annotations(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_shape(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, AbstractArray)


def _check_value(function: Callable[..., Any], what: str, value: object, annotation: Any) -> None:
    if not isinstance(value, annotation):
        actual = f"{value.dtype}{list(value.shape)}" if isinstance(value, Tensor) else repr(type(value))
        raise TypeCheckError(
            f"{function.__module__}.{function.__qualname__} returned a wrong {what}: it is {actual}, expected "
            f"{annotation.__name__} with the dimensions of the arguments."
        )


def _check_placement(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Every floating tensor on one device and, outside autocast, of one dtype: the block's weights included."""
    names = function.__code__.co_varnames
    tensors = {name: value for name, value in zip(names, args, strict=False) if isinstance(value, Tensor)}
    tensors |= {name: value for name, value in kwargs.items() if isinstance(value, Tensor)}
    floating = {name: value for name, value in tensors.items() if value.is_floating_point()}
    if args and isinstance(args[0], nn.Module):
        weight = next((p for p in args[0].parameters() if p.is_floating_point()), None)
        floating |= {"the block's weights": weight} if weight is not None else {}
    if len(floating) < 2:
        return
    first, *rest = floating.items()
    autocast = torch.is_autocast_enabled(first[1].device.type) if first[1].device.type != "meta" else False
    for attribute in ("device",) if autocast else ("device", "dtype"):
        for name, value in rest:
            one, other = getattr(first[1], attribute), getattr(value, attribute)
            if one != other:
                raise TypeCheckError(
                    f"{function.__module__}.{function.__qualname__}: {first[0]} is {one} but {name} {_is(name)} "
                    f"{other}: bring them to one {attribute} with .to(...)."
                )


def _is(name: str) -> str:
    return "are" if name.endswith("s") and " " in name else "is"
