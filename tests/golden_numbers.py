"""Reads `tests/golden/`: numbers of the released modules."""

import json
from collections.abc import Callable, Mapping
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


def unlike(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], *, relative: float) -> dict[str, float]:
    """Names of gradients that differ by more than `relative`, in the largest entry or in the norm, and by how much."""
    assert ours.keys() == theirs.keys()
    found = {}
    for name, expected in theirs.items():
        apart = ours[name] - expected
        shares = apart.abs().max() / expected.abs().max(), apart.norm() / expected.norm()
        found[name] = max(share.item() for share in shares)
    return {name: share for name, share in found.items() if not share <= relative}


def differences(value: Callable[[], Tensor], tensors: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Of every tensor along one direction: the derivative of `value()` by autograd, and by central differences.

    A step has the length 1e-6 in all: a longer one takes some of the thousands of ReLUs of a head to their other side.
    """
    gradients = torch.autograd.grad(value(), list(tensors.values()))
    found = {}
    for (name, tensor), gradient in zip(tensors.items(), gradients, strict=True):
        direction = torch.sin(1 + torch.arange(tensor.numel(), dtype=tensor.dtype)).reshape(tensor.shape)
        direction /= direction.norm()
        ends = []
        with torch.no_grad():
            for step in (1e-6, -2e-6):
                tensor.add_(step * direction)
                ends.append(value())
            tensor.add_(1e-6 * direction)
        found[name] = ((gradient * direction).sum().item(), ((ends[0] - ends[1]) / 2e-6).item())
    return found


def hashed(count: int, position: int) -> np.ndarray:
    """`count` numbers in [-1, 1), a hash of their index and `position`, in float64."""
    with np.errstate(over="ignore"):
        u = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        u = u + np.uint32((position + 1) * 40503 + 12345)
        u = (u ^ (u >> np.uint32(15))) * np.uint32(2246822519)
        u = (u ^ (u >> np.uint32(13))) * np.uint32(3266489917)
        u = u ^ (u >> np.uint32(16))
    return u.astype(np.float64) / 2**31 - 1


def hashed_weight(shape: torch.Size, position: int, shifted: bool) -> Tensor:
    """The closed form of a head's weight: `position` counts the floating entries of its state_dict,
    `shifted` is said of 1-d tensors named `weight`, which lie around one."""
    count = shape.numel()
    spread = np.sqrt(3 / (count / shape[0])) if len(shape) >= 2 else 0.2
    return torch.from_numpy((spread * hashed(count, position) + float(shifted)).astype(np.float32)).reshape(shape)


def hashed_state(case: str) -> dict[str, Tensor]:
    """The whole state of a released head, from its closed form."""
    shapes = json.loads((FILE.parent / "head_states.json").read_text())[case]
    return {
        name: hashed_weight(torch.Size(shape), position, len(shape) == 1 and name.endswith("weight"))
        for position, (name, shape) in enumerate(shapes.items())
    }
