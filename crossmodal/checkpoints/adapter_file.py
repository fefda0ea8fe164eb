"""The format of adapter-only files: safetensors, and a JSON entry that says what they belong to and proves them whole.

The entry `crossmodal` of the metadata holds `format`, `header` and `sha256`, a hash over the other two and over every
tensor. Files of format 1, written before there were numbers, have no `format`.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .. import __version__
from ..io import whole_file

FORMAT = 2
METADATA = "crossmodal"  # one entry: safetensors writes several in no fixed order
UNREADABLE = (SafetensorError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)
"""What reading bytes that no one wrote so can raise, safetensors, JSON and torch together."""


class Written(NamedTuple):
    """What an adapter file holds."""

    format: int
    header: dict[str, Any]
    state: dict[str, Tensor]


def as_json(caller: str, header: Mapping[str, Any]) -> dict[str, Any]:
    """`header` as it comes back from a file (tuples as lists, keys as strings); `ValueError` where JSON has no word."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(header, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{caller}: the header {dict(header)!r} cannot be written as JSON ({error}): pass strings, finite numbers, "
            "and lists and dictionaries of them."
        ) from error
    return copy


def write_adapter_file(file: Path, header: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Writes a file whole or not at all; `OSError` where it cannot be written."""
    told = {"format": FORMAT, "header": {**header, "version": __version__}}
    said = json.dumps({**told, "sha256": digest(told, state)})
    with whole_file(file, before="save_adapters: ", errors=(SafetensorError,)) as draft:
        save_file(dict(state), draft, metadata={METADATA: said})


def read_adapter_file(file: Path) -> Written:
    """Reads a file and proves it whole.

    Raises `OSError` where there is none or it cannot be read, `ValueError` where it is no adapter file, damaged, or of
    a format that a later version wrote.
    """
    if not file.is_file():
        found = "is a folder: name the file in it" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"load_adapters: {file} {found}.")
    try:
        with safe_open(file, framework="pt") as opened:
            said = json.loads((opened.metadata() or {})[METADATA])
            form, header, promised = said.get("format", 1), dict(said["header"]), said["sha256"]
            state = {} if form > FORMAT else {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        told = {"format": form, "header": header} if "format" in said else header
        whole = form > FORMAT or digest(told, state) == promised
    except UNREADABLE as error:
        raise ValueError(f"load_adapters: {file} is no whole adapter file of crossmodal ({error}).") from error
    if form > FORMAT:
        raise ValueError(
            f"load_adapters: {file} has format {form}, written by version {header.get('version')}; this version "
            f"({__version__}) reads formats up to {FORMAT}: install a later one."
        )
    if not whole:
        raise ValueError(f"load_adapters: {file} is damaged: its tensors are not those written. Copy the file again.")
    return Written(form, header, state)


def digest(told: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """A hash over what is told, and over name, dtype, shape and bytes of every tensor."""
    found = hashlib.sha256(json.dumps(told).encode())
    for name, tensor in sorted(state.items()):
        found.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(bytes_of(tensor).numpy().data)
    return found.hexdigest()


def bytes_of(tensor: Tensor) -> Tensor:
    """The bytes of a tensor, on the CPU, in one row."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
