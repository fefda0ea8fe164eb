"""Reads the golden numbers of the few-shot code and of the four prompt baselines."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from golden_numbers import hashed
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"


@cache
def facts(file: str) -> dict:
    """What a golden file says of itself."""
    return json.loads((FOLDER / f"{file}.json").read_text())


@cache
def _numbers(file: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{file}.safetensors")


def numbers(file: str, case: str, kind: str) -> dict[str, Tensor]:
    """All tensors of one kind of one case, by name."""
    prefix = f"{case}/{kind}/"
    found = {key.removeprefix(prefix): value for key, value in _numbers(file).items() if key.startswith(prefix)}
    assert found, prefix
    return found


def hash_input(stream: int, *shape: int) -> Tensor:
    """The closed-form inputs of the few-shot cases."""
    return torch.from_numpy((np.sqrt(3) * hashed(int(np.prod(shape)), stream)).astype(np.float32)).reshape(shape)


def named_hash(name: str, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1), a hash of their index and a name."""
    with np.errstate(over="ignore"):
        u = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        u = u + np.uint32((zlib.crc32(name.encode()) * 40503 + 12345) % 2**32)
        u = (u ^ (u >> np.uint32(15))) * np.uint32(2246822519)
        u = (u ^ (u >> np.uint32(13))) * np.uint32(3266489917)
        u = u ^ (u >> np.uint32(16))
    return u.astype(np.float64) / 2**31 - 1


def named_weight(case: str, key: str, shape: list[int]) -> Tensor:
    """The closed form of a weight of the prompt baselines."""
    h = named_hash(f"{case}/state/{key}", int(np.prod(shape)))
    spread = np.sqrt(3 / (h.size / shape[0])) if len(shape) >= 2 else 0.2
    h = spread * h + float(len(shape) == 1 and key.endswith("weight"))
    return torch.from_numpy(h.astype(np.float32)).reshape(shape)


def close(ours: Tensor, theirs: Tensor, relative: float) -> None:
    """Asserts that two tensors agree, relative to the largest entry."""
    assert ours.shape == theirs.shape
    apart = (ours.double() - theirs.double()).abs().max() / theirs.double().abs().max()
    assert apart <= relative, f"{apart:.2g} > {relative:.2g}"
