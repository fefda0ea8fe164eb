"""Reading checkpoints that others wrote, without pickle: finds the tensors by name, however they are nested."""

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .released_files import RELEASED_FILES, fetch

STATE_KEYS = ("state_dict", "model", "model_state_dict", "net")
"""Keys under which checkpoints keep their tensors, beside epochs, options and optimizer states."""

DATA_PARALLEL = "module."
"""Prefix of every name in a checkpoint of a `DataParallel` model."""

LAYOUTS = {
    r"audio_adapter_blocks_p1\.0\.fc\.": "a released DG-SCT model: import_dg_sct_ave",
    r"audio_adapter_blocks_p1\.": "a released LAVisH model: import_lavish_ave, or import_lavish of its coupling",
    r"(sed_model\.)?logmel_extractor\.": "HTS-AT as released: import_htsat",
    r"(visual\.)?transformer\.resblocks\.": "CLIP as OpenAI names it: import_clip",
    r"vision_model\.": "the CLIP of transformers: import_clip",
    r"(text|audio)_branch\.": "CLAP as LAION names it: import_clap",
    r".*audio_encoder\.layers\.": "the CLAP of transformers: import_htsat",
    r".*attn\.cpb_mlp\.": "Swin-V2: import_swin_v2",
    r".*couplers\.": "an adapter file of ours: load_adapters",
}
"""Pattern of a name → the kind of checkpoint that has it, for error messages."""


class RawCheckpoint(NamedTuple):
    """The tensors of a checkpoint by the names in it, its source, and notes on how the tensors were found."""

    source: str
    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


Weights = str | Path | Mapping[str, Any] | RawCheckpoint
"""A file, the name of a released one (`"timm"`), the content of a file, or a checkpoint that was read already."""


def read_weights(weights: Weights) -> RawCheckpoint:
    """Reads the tensors of a checkpoint to the CPU; those of a `.pt` or `.ckpt` file are memory-mapped.

    Looks for tensors under `state_dict`, `model` and the like, and removes the prefix `module.` of `DataParallel`; the
    notes say so.

    Args:
        weights: A file, safetensors, one of `torch.save` that holds tensors only, or Keras' `.h5`; the name of a
            released file, as `fetch` knows it; or the content of such a file.

    Returns:
        The tensors, with their source and notes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, holds no tensors, or needs pickle.
    """
    if isinstance(weights, RawCheckpoint):
        return weights
    if isinstance(weights, Mapping):
        return _unwrap("the mapping", weights)
    file = fetch(weights) if isinstance(weights, str) and weights in RELEASED_FILES else Path(weights)
    if not file.is_file():
        raise FileNotFoundError(
            f"read_weights: {file} does not exist; published files are {', '.join(RELEASED_FILES)}."
        )
    loaders: dict[str, Callable[[Path], Any]] = {".safetensors": _load_safetensors, ".h5": _load_keras}
    return _unwrap(str(file), loaders.get(file.suffix, _load_weights_only)(file))


def looks_like(names: Iterable[str]) -> str:
    """Returns a sentence on the kind of checkpoint that has such names; empty for an unknown kind."""
    names = list(names)
    kind = next((kind for pattern, kind in LAYOUTS.items() if any(re.match(pattern, name) for name in names)), None)
    return f" It looks like {kind}." if kind else ""


def _load_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(f"read_weights: {file} is no whole safetensors file ({error}): get it again.") from error


def _load_keras(file: Path) -> dict[str, Tensor]:
    """Reads `layer.kernel` and `layer.bias` of Keras' layers, whose names in the file vary with its version."""
    import h5py

    tensors: dict[str, Tensor] = {}

    def add(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            layer = path.removeprefix("model_weights/").partition("/")[0]
            tensors[f"{layer}.{'bias' if item.ndim == 1 else 'kernel'}"] = torch.from_numpy(item[()])

    try:
        with h5py.File(file) as opened:
            opened.visititems(add)
    except OSError as error:
        raise ValueError(f"read_weights: {file} is no whole HDF5 file ({error}): get it again.") from error
    return tensors


def _load_weights_only(file: Path) -> Any:
    try:
        # torch maps zip files only, which those from before torch 1.6 are not
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


def _unwrap(source: str, content: Any) -> RawCheckpoint:
    """Descends to the dictionary of tensors and removes the prefix of `DataParallel`."""
    notes: list[str] = []
    while isinstance(content, Mapping) and (
        key := next((key for key in STATE_KEYS if isinstance(content.get(key), Mapping)), None)
    ):
        others = [str(name) for name in content if name != key]
        notes.append(f"tensors under {key!r}" + (f"; beside it, not read: {', '.join(others[:6])}" if others else ""))
        content = content[key]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"read_weights: {source} holds no tensors by name: {_describe(content)}.")
    if all(str(name).startswith(DATA_PARALLEL) for name in content):
        notes.append(f"the prefix {DATA_PARALLEL!r} of DataParallel taken off")
        content = {str(name).removeprefix(DATA_PARALLEL): tensor for name, tensor in content.items()}
    return RawCheckpoint(source, {str(name): tensor for name, tensor in content.items()}, tuple(notes))


def _describe(content: Any) -> str:
    """Describes content that holds no tensors by name."""
    if not isinstance(content, Mapping):
        return f"it is a {type(content).__name__}"
    others = [f"{name} is a {type(value).__name__}" for name, value in content.items() if not isinstance(value, Tensor)]
    return ", ".join(others[:4]) or "it is empty"
