"""Reads `tests/golden/golden_avs.*` and the segmentation baselines: weights and inputs follow from their names."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"
FILES = {"avs": FOLDER / "golden_avs", "avsbench": FOLDER / "baselines/avsbench", "lavish": FOLDER / "baselines/lavish"}


@cache
def _facts(file: str) -> dict:
    return json.loads(FILES[file].with_suffix(".json").read_text())


@cache
def _numbers(file: str) -> dict[str, Tensor]:
    return load_file(FILES[file].with_suffix(".safetensors"))


def facts(case: str, file: str = "avs") -> dict:
    """What the golden file says of a case."""
    return _facts(file)[case]


def numbers(case: str, kind: str, file: str = "avs") -> dict[str, Tensor]:
    """All tensors of one kind of a case, by name."""
    prefix = f"{case}/{kind}/"
    return {key.removeprefix(prefix): value.clone() for key, value in _numbers(file).items() if key.startswith(prefix)}


def named_hash(name: str, shape) -> np.ndarray:
    """Numbers in [-1, 1), a hash of their index and a name, in float64."""
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        u = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        u = u + np.uint32((zlib.crc32(name.encode()) * 40503 + 12345) % 2**32)
        u = (u ^ (u >> np.uint32(15))) * np.uint32(2246822519)
        u = (u ^ (u >> np.uint32(13))) * np.uint32(3266489917)
        u = u ^ (u >> np.uint32(16))
    return (u.astype(np.float64) / 2**31 - 1).reshape(shape)


def weight(case: str, key: str, shape, constants=None) -> Tensor:
    """The closed form of a weight of the released model."""
    if key in (constants or {}):
        return torch.full(shape, float(constants[key]))
    h, last = named_hash(f"{case}/state/{key}", shape), key.rpartition(".")[2]
    if last == "running_mean":
        values = 0.1 * h
    elif last == "running_var":
        values = 1 + 0.5 * h
    elif len(shape) >= 2:
        values = np.sqrt(3 / (np.prod(shape) / shape[0])) * h
    else:
        values = 1 + 0.2 * h if last == "weight" else 0.2 * h
    return torch.from_numpy(values.astype(np.float32))


@cache
def state(case: str, file: str = "avs") -> dict[str, Tensor]:
    """The released module's weights; those that no output depends on are zero."""
    said = facts(case, file)
    unused = set(said["unused"])
    return {
        key: torch.zeros(shape) if key in unused else weight(case, key, shape, said.get("constants"))
        for key, shape in said["state"].items()
    }


def given(case: str, name: str, shape, scale: float = 3**0.5) -> Tensor:
    """An input in closed form."""
    return torch.from_numpy((scale * named_hash(f"{case}/in/{name}", shape)).astype(np.float32))


def sample(tensor: Tensor) -> Tensor:
    """Entries 0, s, 2s, …, at most 512."""
    flat = tensor.flatten()
    return flat[:: max(1, flat.numel() // 512)][:512]
