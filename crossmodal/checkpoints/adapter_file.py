"""The adapter file format: safetensors, with one JSON metadata entry that names the model and a hash of the content.

The metadata entry `crossmodal` holds `format`, `header` and `sha256`, a hash over the other two and over every tensor.
Files of format 1, written before formats had numbers, have no `format`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Name in a safetensors file → dtype."""
UNREADABLE = (SafetensorError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)
"""Errors that safetensors, JSON and torch raise on bytes that are no adapter file."""


class AdapterMetadata(NamedTuple):
    """The metadata entry of an adapter file: read without its tensors, and not yet verified against them."""

    format: int
    header: dict[str, Any]
    sha256: str
    hashed: dict[str, Any]
    """The part of the entry that `sha256` covers: format 1 hashed the header alone."""


class AdapterFile(NamedTuple):
    """The verified content of an adapter file."""

    format: int
    header: dict[str, Any]
    state: dict[str, Tensor]


def as_json(caller: str, header: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `header` as it comes back from a file: tuples as lists, keys as strings.

    Raises:
        ValueError: If JSON cannot express a value.
    """
    try:
        copy: dict[str, Any] = json.loads(json.dumps(header, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{caller}: the header {dict(header)!r} cannot be written as JSON ({error}): pass strings, finite numbers, "
            "and lists and dictionaries of them."
        ) from error
    return copy


def write_adapter_file(file: Path, header: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Writes an adapter file, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    hashed = {"format": FORMAT, "header": {**header, "version": __version__}}
    entry = json.dumps({**hashed, "sha256": digest(hashed, state)})
    with whole_file(file, before="save_adapters: ", errors=(SafetensorError,)) as draft:
        save_file(dict(state), draft, metadata={METADATA: entry})


def read_metadata(file: Path, caller: str) -> AdapterMetadata:
    """Reads the metadata of an adapter file; reads and hashes no tensor.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If the file is no adapter file, is cut short, or has a later format.
    """
    with _opened(file, caller) as opened:
        metadata = _metadata(opened)
    _check_format(file, caller, metadata)
    return metadata


def read_adapter_file(file: Path, caller: str) -> AdapterFile:
    """Reads an adapter file and verifies header and tensors against the hash in it.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If the file is no adapter file, is damaged, or has a later format.
    """
    with _opened(file, caller) as opened:  # opened once: a file may be replaced between two openings
        metadata = _metadata(opened)
        readable = metadata.format <= FORMAT
        state = {name: opened.get_tensor(name) for name in opened.keys()} if readable else {}  # noqa: SIM118
        whole = not readable or digest(metadata.hashed, state) == metadata.sha256
    _check_format(file, caller, metadata)
    if not whole:
        raise ValueError(f"{caller}: {file} is damaged: its tensors are not those written. Copy the file again.")
    return AdapterFile(metadata.format, metadata.header, state)


def read_float_dtypes(file: Path, caller: str) -> set[torch.dtype]:
    """Returns the dtypes of the floating-point tensors of an adapter file; reads no tensor.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If the file is no safetensors file, or is cut short.
    """
    with _opened(file, caller) as opened:
        found = {opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118 (not a dict)
    return {FLOATS[name] for name in found if name in FLOATS}


def digest(hashed: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of a metadata entry and of name, dtype, shape and bytes of every tensor."""
    sha256 = hashlib.sha256(json.dumps(hashed).encode())
    for name, tensor in sorted(state.items()):  # a file and a model may list them in another order
        sha256.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(bytes_of(tensor).numpy().data)
    return sha256.hexdigest()


def bytes_of(tensor: Tensor) -> Tensor:
    """Returns the bytes of a tensor, on the CPU, in one dimension."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8)


@contextmanager
def _opened(file: Path, caller: str) -> Iterator[Any]:
    """Opens a safetensors file; every error on malformed content becomes one `ValueError` that names the file."""
    if not file.is_file():
        problem = "is a folder: name the file in it" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"{caller}: {file} {problem}.")
    try:
        with safe_open(file, framework="pt") as opened:
            yield opened
    except UNREADABLE as error:
        raise ValueError(f"{caller}: {file} is no whole adapter file of crossmodal ({error}).") from error


def _metadata(opened: Any) -> AdapterMetadata:
    """Parses the metadata entry of an opened file."""
    entry = json.loads((opened.metadata() or {})[METADATA])
    form, header, sha256 = entry.get("format", 1), dict(entry["header"]), entry["sha256"]
    if not isinstance(form, int):
        raise TypeError(f"format {form!r} is no integer")
    return AdapterMetadata(form, header, sha256, {"format": form, "header": header} if "format" in entry else header)


def _check_format(file: Path, caller: str, metadata: AdapterMetadata) -> None:
    """Raises `ValueError` for a format that a later version of the library wrote."""
    if metadata.format > FORMAT:
        raise ValueError(
            f"{caller}: {file} has format {metadata.format}, written by version {metadata.header.get('version')}; this "
            f"version ({__version__}) reads formats up to {FORMAT}: install a later one."
        )
