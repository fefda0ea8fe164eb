"""Adapter-only files: what was trained, without the frozen encoders, and a header that says what it belongs to."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..injection.freezing import stays_in_eval
from .adapter_file import FORMAT, as_json, bytes_of, read_adapter_file, read_metadata, write_adapter_file
from .mismatch import Row, flattened, table


def frozen_prefixes(model: nn.Module) -> list[str]:
    """Names of the outermost modules that have parameters, none of which is trained."""
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        parameters = list(module.parameters())
        if name and not inside and parameters and not any(p.requires_grad for p in parameters):
            found.append(name)
    return found


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """The part of the state that training changes: everything outside frozen modules, buffers included.

    Of modules that are frozen in their parameters alone (`freeze_parameters`), the buffers, which still move.
    """
    prefixes = tuple(f"{name}." for name in frozen_prefixes(model))
    moving = {
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if name and not stays_in_eval(module)
        for buffer, _ in module.named_buffers(recurse=False)
    }
    state = model.state_dict()
    return {name: tensor for name, tensor in state.items() if name in moving or not name.startswith(prefixes)}


def save_adapters(model: nn.Module, file: str | Path, **header: Any) -> None:
    """Writes the adapter state of `model` as safetensors, whole or not at all.

    - `header`: what the file belongs to, as in `recipe="dg_sct", arguments={"latents": 32}`: strings, finite numbers,
      and lists and dictionaries of them. `load_adapters` compares what it is told to expect; everything else is on
      record only, as is `version`, that of this library, which is written by itself.

    Raises `OSError` where the file cannot be written, `ValueError` where the header cannot.
    """
    if "version" in header:
        raise ValueError("save_adapters: version is written by itself: leave it out, or give yours another name.")
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in adapter_state(model).items()}
    write_adapter_file(Path(file), as_json("save_adapters", header), state)


def load_adapters(model: nn.Module, file: str | Path, **expected: Any) -> None:
    """Loads what `save_adapters` wrote; the model changes only after everything was found to fit, and as a whole.

    - `expected`: what the header must say; entries that are not named here are not compared.

    A file of an earlier format is compared in what it says; a warning names what it does not.

    Raises `OSError` where the file cannot be read, and `ValueError` where it is no adapter file, not as it was written
    or of a later format, where its header differs from `expected`, or where tensors are missing, left over, of another
    shape or dtype, not finite, or would go to the meta device. Differences are printed as a table.
    """
    file = Path(file)
    form, header, state = read_adapter_file(file, "load_adapters")
    expected = as_json("load_adapters", expected)
    unsaid = [name for name in expected if form < FORMAT and name not in header]
    asked = {name: value for name, value in expected.items() if name not in unsaid}
    rows = header_differences({name: header[name] for name in asked if name in header}, asked)
    if rows:
        raise ValueError(table(f"load_adapters: {file} belongs to another model:", rows))
    rows = tensor_differences(state, adapter_state(model), set(dict(model.named_parameters(remove_duplicate=False))))
    if rows:
        raise ValueError(table(f"load_adapters: {file} does not fit this {type(model).__name__}:", rows))
    _put(model, file, state)
    if unsaid:
        warnings.warn(
            f"load_adapters: {file} has the earlier format {form}, which does not say {', '.join(unsaid)}: not "
            "compared. Save it again to have them.",
            stacklevel=2,
        )


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


def header_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Row]:
    """One row an entry that differs, entries of dictionaries one by one: `arguments.latents`."""
    there, here = flattened(theirs), flattened(ours)
    return [
        Row(name, *(repr(side[name]) if name in side else None for side in (there, here)))
        for name in dict.fromkeys([*here, *there])
        if name not in there or name not in here or there[name] != here[name]
    ]


def tensor_differences(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], parameters: set[str]) -> list[Row]:
    """One row a tensor that is missing, left over, of another shape or dtype, not finite, or on the meta device."""
    rows = []
    for name in sorted(theirs.keys() | ours.keys()):
        there, here = _told(theirs.get(name)), _told(ours.get(name))
        if name in ours and ours[name].is_meta:
            here = "on the meta device: to_empty(device=...) first"
        elif there == here and (lost := _lost(theirs[name], name in parameters)):
            there = f"{lost} of {theirs[name].numel()} numbers are not finite"
        if there != here:
            rows.append(Row(name, there, here))
    return rows


def _told(tensor: Tensor | None) -> str | None:
    return None if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"


def _lost(tensor: Tensor, parameter: bool) -> int:
    """How many numbers are NaN or, in a parameter, infinite; a buffer may hold a mask of infinities."""
    if not tensor.is_floating_point():
        return 0
    values = tensor.float() if tensor.element_size() == 1 else tensor  # float8 has no isnan
    return int((~values.isfinite() if parameter else values.isnan()).sum())


def _put(model: nn.Module, file: Path, state: Mapping[str, Tensor]) -> None:
    """Copies all tensors into the model, or, where one cannot be, none."""
    own, before = model.state_dict(), dict[str, Tensor]()
    try:
        for name, tensor in state.items():
            before[name] = own[name].clone()
            own[name].copy_(tensor)
        torn = [name for name, tensor in state.items() if not torch.equal(bytes_of(own[name]), bytes_of(tensor))]
        if torn:
            raise ValueError(
                f"load_adapters: {file} holds two values for what is one tensor in this {type(model).__name__}: {torn}."
            )
    except BaseException as error:
        for name, tensor in before.items():
            with suppress(RuntimeError):  # the one that could not be set
                own[name].copy_(tensor)
        if isinstance(error, RuntimeError):
            raise ValueError(
                f"load_adapters: a tensor of this {type(model).__name__} cannot be set ({error})."
            ) from error
        raise
