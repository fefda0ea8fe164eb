"""Tensors out of a file that others wrote: safetensors or weights-only, from whatever they are nested in. No pickle."""

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .published import PUBLISHED, fetch

NESTS = ("state_dict", "model", "model_state_dict", "net")
"""Keys under which checkpoints keep their tensors, beside epochs, options and states of optimisers."""

WRAPPER = "module."
"""What `DataParallel` puts before every name."""

MARKS = {
    r"audio_adapter_blocks_p1\.0\.fc\.": "a released DG-SCT model: import_dg_sct_ave",
    r"audio_adapter_blocks_p1\.": "a released LAVisH model: import_lavish",
    r"(sed_model\.)?logmel_extractor\.": "HTS-AT as released: import_htsat",
    r".*audio_encoder\.layers\.": "the CLAP of transformers: import_htsat",
    r".*attn\.cpb_mlp\.": "Swin-V2: import_swin_v2",
    r".*couplers\.": "an adapter file of ours: load_adapters",
}
"""Names by which a file of another kind gives itself away."""


class Found(NamedTuple):
    """Tensors by name, where they come from, and what was done to reach them."""

    source: str
    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


Weights = str | Path | Mapping[str, Any] | Found
"""A file, the name of a published one (`"timm"`), what a file holds, or what was read already."""


def read_weights(weights: Weights) -> Found:
    """The tensors of a file, on the CPU; of a `.pt` or `.ckpt` file they stay on the disk until they are read.

    - `weights`: a file, safetensors or one of `torch.save` that holds tensors only; the name of a published file, as
      `fetch` knows it; or what such a file holds. Tensors are looked for under `state_dict`, `model` and the like, and
      the prefix `module.` of `DataParallel` is taken off; the notes say so.

    Raises `FileNotFoundError`, and `ValueError` where a file is damaged, holds no tensors, or needs pickle.
    """
    if isinstance(weights, Found):
        return weights
    if isinstance(weights, Mapping):
        return _unwrapped("the mapping", weights)
    file = fetch(weights) if isinstance(weights, str) and weights in PUBLISHED else Path(weights)
    if not file.is_file():
        raise FileNotFoundError(f"read_weights: {file} does not exist; published files are {', '.join(PUBLISHED)}.")
    return _unwrapped(str(file), _safetensors(file) if file.suffix == ".safetensors" else _weights_only(file))


def recognised(names: Iterable[str]) -> str:
    """A sentence on what a file looks like; empty where it looks like nothing known."""
    found = next((what for mark, what in MARKS.items() if any(re.match(mark, name) for name in names)), None)
    return f" It looks like {found}." if found else ""


def _safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(f"read_weights: {file} is no whole safetensors file ({error}): get it again.") from error


def _weights_only(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except UnpicklingError as error:
        if wanted := re.search(r"GLOBAL (\S+) was not an allowed global|Unsupported global: GLOBAL (\S+)", str(error)):
            raise ValueError(
                f"read_weights: {file} needs pickle: it holds {wanted[1] or wanted[2]}, not tensors alone, and to read "
                f"it is to run what it says. If you trust who made it, write its tensors to a file that runs nothing: "
                f"python -m crossmodal.checkpoints.unpickle {file} {file.with_suffix('.safetensors')}"
            ) from error
        raise ValueError(f"read_weights: {file} is no checkpoint of torch, nor is it named .safetensors.") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"read_weights: {file} is damaged or no checkpoint ({error}): get it again.") from error


def _unwrapped(source: str, held: Any) -> Found:
    notes: list[str] = []
    while isinstance(held, Mapping) and (
        nest := next((key for key in NESTS if isinstance(held.get(key), Mapping)), None)
    ):
        beside = [str(key) for key in held if key != nest]
        notes.append(f"tensors under {nest!r}" + (f"; beside it, not read: {', '.join(beside[:6])}" if beside else ""))
        held = held[nest]
    if not isinstance(held, Mapping) or not held or not all(isinstance(value, Tensor) for value in held.values()):
        raise ValueError(f"read_weights: {source} holds no tensors by name: {_described(held)}.")
    if all(str(name).startswith(WRAPPER) for name in held):
        notes.append(f"the prefix {WRAPPER!r} of DataParallel taken off")
        held = {str(name).removeprefix(WRAPPER): tensor for name, tensor in held.items()}
    return Found(source, {str(name): tensor for name, tensor in held.items()}, tuple(notes))


def _described(held: Any) -> str:
    if not isinstance(held, Mapping):
        return f"it is a {type(held).__name__}"
    others = [f"{name} is a {type(value).__name__}" for name, value in held.items() if not isinstance(value, Tensor)]
    return ", ".join(others[:4]) or "it is empty"
