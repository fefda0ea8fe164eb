"""Reads `tests/golden/`: numbers of the released modules."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

FILE = Path(__file__).parent / "golden" / "golden_adapter_tiny.safetensors"


@cache
def _all() -> dict[str, Tensor]:
    return load_file(FILE)


def golden(case: str, kind: str) -> dict[str, Tensor]:
    """All tensors of one kind of one case, by name."""
    prefix = f"{case}/{kind}/"
    found = {key.removeprefix(prefix): value.clone() for key, value in _all().items() if key.startswith(prefix)}
    if not found:
        raise KeyError(f"no golden numbers under {prefix}")
    return found


def scalar(*outputs: Tensor) -> Tensor:
    """The scalar whose gradients are stored: Σ ⟨flatten(output), cos(0, 1, 2, …)⟩."""
    return sum((out.flatten() * torch.arange(out.numel(), dtype=out.dtype).cos()).sum() for out in outputs)


def digest(gradient: Tensor) -> Tensor:
    """[sum, L2 norm, ⟨g, cos(0, 1, …)⟩, the first 13 entries] in float64."""
    flat = gradient.double().flatten()
    wave = torch.arange(flat.numel(), dtype=torch.float64).cos()
    head = torch.zeros(13, dtype=torch.float64)
    head[: min(13, flat.numel())] = flat[:13]
    return torch.cat([torch.stack([flat.sum(), flat.norm(), flat @ wave]), head])


def hashed_weight(shape: torch.Size, position: int, shifted: bool) -> Tensor:
    """The closed form of a head's weight: `position` counts the floating entries of its state_dict,
    `shifted` is said of 1-d tensors named `weight`, which lie around one."""
    count = shape.numel()
    with np.errstate(over="ignore"):
        u = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        u = u + np.uint32((position + 1) * 40503 + 12345)
        u = (u ^ (u >> np.uint32(15))) * np.uint32(2246822519)
        u = (u ^ (u >> np.uint32(13))) * np.uint32(3266489917)
        u = u ^ (u >> np.uint32(16))
    h = u.astype(np.float64) / 2**31 - 1
    spread = np.sqrt(3 / (count / shape[0])) if len(shape) >= 2 else 0.2
    h = spread * h + float(shifted)
    return torch.from_numpy(h.astype(np.float32)).reshape(shape)


def hashed_state(case: str) -> dict[str, Tensor]:
    """The whole state of a released head, from its closed form."""
    shapes = json.loads((FILE.parent / "head_states.json").read_text())[case]
    return {
        name: hashed_weight(torch.Size(shape), position, len(shape) == 1 and name.endswith("weight"))
        for position, (name, shape) in enumerate(shapes.items())
    }
