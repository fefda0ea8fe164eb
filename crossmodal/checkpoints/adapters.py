"""Adapter-only files: the trained part of a model without its frozen encoders, and a header that names the model."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .adapter_file import (
    FLOATS,
    FORMAT,
    as_json,
    bytes_of,
    read_adapter_file,
    read_float_dtypes,
    read_metadata,
    write_adapter_file,
)
from .diff_table import Difference, diff_table, dtype_and_shape, flatten
from .load_strict import restore_on_error
from .trained_state import adapter_state as adapter_state
from .trained_state import is_extra, plain_name, plainly_named, set_extra_states

M = TypeVar("M", bound=nn.Module)


def save_adapters(model: nn.Module, file: str | Path, **header: Any) -> None:
    """Writes the adapter state of `model` as safetensors, whole or not at all.

    Args:
        model: The model; what is frozen in it is left out.
        file: The file to write.
        **header: What the file belongs to, as in `recipe="dg_sct", arguments={"latents": 32}`: strings, finite
            numbers, and lists and dictionaries of them. `load_adapters` compares the entries it is asked to. The entry
            `version`, that of this library, is added.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If JSON cannot express the header, or it has an entry `version`.
    """
    if "version" in header:
        raise ValueError("save_adapters: version is written by itself: leave it out, or give yours another name.")
    # Cloned: safetensors refuses tensors that share memory, as those of tied modules do.
    trained = plainly_named(adapter_state(model))
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in trained.items()}
    write_adapter_file(Path(file), as_json("save_adapters", header), state)


def load_adapters(model: nn.Module, file: str | Path, **expected: Any) -> None:
    """Loads a file that `save_adapters` wrote; the model changes as a whole, after everything was verified, or not.

    Files of format 1 are compared in the entries that they have; a warning names the others.

    Args:
        model: The model to fill.
        file: The file to load.
        **expected: Entries that the header must have; others are not compared.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If the file is no adapter file, is damaged or of a later format; with a table of differences, if
            its header is not as expected, or tensors are missing, left over, of another shape or dtype, not finite, or
            would go to the meta device.
    """
    _load(model, Path(file), expected, lambda stored, own: stored)


def load_converted(model: nn.Module, file: str | Path, **expected: Any) -> None:
    """Loads a file as `load_adapters` does, but in the precision of the model; where it is another, a warning says so.

    For weights that a training begins with; those of a finished run keep their precision by `with_dtype_of`. A file of
    several floating-point dtypes, and a tensor with a number that the model's dtype cannot hold, are refused.

    Args:
        model: The model to fill.
        file: The file to load.
        **expected: Entries that the header must have; others are not compared.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: As `load_adapters` does.
    """
    for theirs, ours in sorted(_load(model, Path(file), expected, converted), key=str):
        exact = torch.promote_types(theirs, ours) == ours
        warnings.warn(
            f"load_adapters: {file} was written in {theirs} and is read into this {type(model).__name__} in {ours}: "
            f"{'every number as it is' if exact else 'its numbers are rounded'}.",
            stacklevel=2,
        )


def converted(stored: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of a file of one floating-point dtype in the dtypes of a model; those of others as they are.

    Args:
        stored: Tensors of the file.
        own: Tensors of the model.
    """
    floating = {name: tensor for name, tensor in stored.items() if tensor.dtype in FLOATS.values()}
    state = dict(stored)
    if len({tensor.dtype for tensor in floating.values()}) == 1:
        for name in floating.keys() & own:
            fitted = floating[name].to(own[name].dtype)
            # a number that became infinite is no rounded one: the tensor stays, and is refused for its dtype
            if own[name].is_floating_point() and torch.equal(fitted.isfinite(), floating[name].isfinite()):
                state[name] = fitted
    return state


def _load(
    model: nn.Module,
    file: Path,
    expected: dict[str, Any],
    convert: Callable[[dict[str, Tensor], dict[str, Tensor]], dict[str, Tensor]],
) -> set[tuple[torch.dtype, torch.dtype]]:
    """Loads a file whose tensors are converted before they are compared; returns from which dtypes to which."""
    form, header, stored = read_adapter_file(file, "load_adapters")
    expected = as_json("load_adapters", expected)
    unsaid = [name for name in expected if form < FORMAT and name not in header]
    compared = {name: value for name, value in expected.items() if name not in unsaid}
    differences = header_differences({name: header[name] for name in compared if name in header}, compared)
    if differences:
        raise ValueError(diff_table(f"load_adapters: {file} belongs to another model:", differences))
    own = plainly_named(adapter_state(model))
    stored = plainly_named(stored)  # earlier files have names of torch.compile
    state = convert(stored, own)
    parameters = {plain_name(name) for name, _ in model.named_parameters(remove_duplicate=False)}
    differences = tensor_differences(state, own, parameters)
    if differences:
        raise ValueError(diff_table(f"load_adapters: {file} does not fit this {type(model).__name__}:", differences))
    _copy_all(model, file, state)
    if unsaid:
        warnings.warn(
            f"load_adapters: {file} has the earlier format {form}, which does not say {', '.join(unsaid)}: not "
            "compared. Save it again to have them.",
            stacklevel=3,
        )
    return {(stored[name].dtype, tensor.dtype) for name, tensor in state.items() if stored[name].dtype != tensor.dtype}


def with_dtype_of(model: M, file: str | Path) -> M:
    """Brings a model to the precision of a training whose file it is about to load, in place, and returns it.

    A training in float64, or in half precision throughout, converts the whole model, frozen encoders included, and its
    file has one floating-point dtype. A file of several dtypes leaves the model as it is.

    Args:
        model: The model as it is built: with encoders in the precision of their weights.
        file: A file that `save_adapters` wrote.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it is no adapter file, or is cut short.
    """
    theirs = read_float_dtypes(Path(file), "load_adapters")
    ours = {tensor.dtype for tensor in adapter_state(model).values() if tensor.is_floating_point()}
    return model.to(theirs.pop()) if len(theirs) == 1 and theirs != ours else model


def read_header(file: str | Path) -> dict[str, Any]:
    """Returns the header of an adapter file: what it belongs to, and the version that wrote it.

    Takes milliseconds for a file of any size: the tensors are neither read nor verified; `load_adapters` does that.

    Args:
        file: A file that `save_adapters` wrote.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it is no adapter file, is cut short, or has a later format.
    """
    return read_metadata(Path(file), "read_header").header


def header_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Compares two headers entry by entry, those of nested dictionaries by dotted names: `arguments.latents`."""
    there, here = flatten(theirs), flatten(ours)
    return [
        Difference(name, *(repr(side[name]) if name in side else None for side in (there, here)))
        for name in dict.fromkeys([*here, *there])
        if name not in there or name not in here or there[name] != here[name]
    ]


def tensor_differences(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], parameters: set[str]
) -> list[Difference]:
    """Compares two states: tensors missing, left over, of another shape or dtype, not finite, or on the meta device.

    Args:
        theirs: The state in the file.
        ours: The state of the model.
        parameters: Names of parameters; a buffer may contain infinities, as a mask does.
    """
    differences = []
    for name in sorted(theirs.keys() | ours.keys()):
        there, here = (dtype_and_shape(side[name]) if name in side else None for side in (theirs, ours))
        if there and here and is_extra(name):  # of any size
            continue
        if name in ours and ours[name].is_meta:
            here = "on the meta device: to_empty(device=...) first"
        elif there == here and (count := _count_not_finite(theirs[name], name in parameters)):
            there = f"{count} of {theirs[name].numel()} numbers are not finite"
        if there != here:
            differences.append(Difference(name, there, here))
    return differences


def _count_not_finite(tensor: Tensor, parameter: bool) -> int:
    """Counts NaN and, in a parameter, infinities."""
    if not tensor.is_floating_point():
        return 0
    values = tensor.float() if tensor.element_size() == 1 else tensor  # float8 has no isnan
    # a buffer may hold infinities on purpose, as a mask does
    return int((~values.isfinite() if parameter else values.isnan()).sum())


def _copy_all(model: nn.Module, file: Path, state: Mapping[str, Tensor]) -> None:
    """Copies all tensors into the model, or none."""
    own = plainly_named(model.state_dict())
    extra = {name: tensor for name, tensor in state.items() if is_extra(name)}
    state = {name: tensor for name, tensor in state.items() if name not in extra}
    try:
        with restore_on_error(own[name] for name in state):
            for name, tensor in state.items():
                own[name].copy_(tensor)
            # A tensor that two modules share has two names: the values copied last must be those of both.
            torn = [name for name, tensor in state.items() if not torch.equal(bytes_of(own[name]), bytes_of(tensor))]
            if torn:
                raise ValueError(
                    f"load_adapters: {file} holds two values for what is one tensor in this {type(model).__name__}: "
                    f"{torn}."
                )
            set_extra_states(model, extra)
    except RuntimeError as error:
        raise ValueError(f"load_adapters: a tensor of this {type(model).__name__} cannot be set ({error}).") from error
