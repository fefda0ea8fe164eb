"""Reads the golden numbers of question answering: DG-SCT's by place, the baselines' by the names of their tensors."""

import json
import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from golden_numbers import digest, hashed, hashed_weight
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"
OWN = FOLDER / "golden_avqa.safetensors"


def _file(case: str) -> Path:
    for file in (OWN, *(FOLDER / "baselines" / f"{name}.safetensors" for name in ("st_avqa", "avsd", "pano_avqa"))):
        if case in _said(file):
            return file
    return FOLDER / "baselines" / "lavish.safetensors"


@cache
def _said(file: Path) -> dict:
    return json.loads(file.with_suffix(".json").read_text())


@cache
def _all(file: Path) -> dict[str, Tensor]:
    return load_file(file)


def facts(case: str) -> dict:
    """What the golden file says of a case."""
    return _said(_file(case))[case]


def numbers(case: str, kind: str) -> dict[str, Tensor]:
    """All tensors of one kind of a case, by name."""
    prefix = f"{case}/{kind}/"
    found = _all(_file(case)).items()
    return {key.removeprefix(prefix): value.clone() for key, value in found if key.startswith(prefix)}


def state(case: str) -> dict[str, Tensor]:
    """The published module's weights, stored or in closed form."""
    if stored := numbers(case, "state"):
        return stored
    if "state_order" in facts(case):
        return {
            name: hashed_weight(torch.Size(shape), position, len(shape) == 1 and name.endswith("weight"))
            for position, (name, shape) in enumerate(facts(case)["state_order"].items())
        }
    constants = facts(case).get("constants", {})
    return {
        name: torch.full(shape, constants[name]) if name in constants else named_weight(f"{case}/state/{name}", shape)
        for name, shape in facts(case)["state"].items()
    }


def named_hash(name: str, count: int) -> np.ndarray:
    """`count` numbers in [-1, 1), a hash of their index and a name."""
    start = (zlib.crc32(name.encode()) * 40503 + 12345) % 2**32
    with np.errstate(over="ignore"):
        u = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(start)
        u = (u ^ (u >> np.uint32(15))) * np.uint32(2246822519)
        u = (u ^ (u >> np.uint32(13))) * np.uint32(3266489917)
    return (u ^ (u >> np.uint32(16))).astype(np.float64) / 2**31 - 1


def named_weight(name: str, shape: list[int]) -> Tensor:
    count = math.prod(shape)
    values = named_hash(name, count)
    if len(shape) >= 2:
        values = math.sqrt(3 / (count / shape[0])) * values
    else:
        values = 0.2 * values + float(name.endswith("weight"))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def given(case: str, name: str) -> Tensor:
    """One input, stored or in closed form."""
    if name in (stored := numbers(case, "in")):
        return stored[name]
    if "input_streams" in facts(case):
        shape = torch.Size(facts(case)["inputs"][name])
        return torch.from_numpy(3**0.5 * hashed(shape.numel(), facts(case)["input_streams"][name])).float().view(shape)
    shape = facts(case)["shapes"][f"in/{name}"]
    values = 3**0.5 * named_hash(f"{case}/in/{name}", math.prod(shape))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def compare_gradients(ours: dict[str, Tensor], theirs: dict[str, Tensor], apart: float) -> None:
    """Gradients against digests, relative to their norms, or to the largest where zero but for rounding."""
    largest = max(entry[1] for entry in theirs.values())
    for name, entry in theirs.items():
        allowed = apart * max(entry[1], largest / 1000)
        assert (digest(ours[name]) - entry).abs()[[1, *range(3, 16)]].max() <= allowed, name


def fused(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Query, key and value of BERT's layers as one tensor, under the names of torch's attention."""
    found = {}
    for leaf in ("weight", "bias"):
        parts = [weights[f"{prefix}self.{part}.{leaf}"] for part in ("query", "key", "value")]
        found[f"attention.in_proj_{leaf}"] = torch.cat(parts)
        found[f"attention.out_proj.{leaf}"] = weights[f"{prefix}output.dense.{leaf}"]
        found[f"norm.{leaf}"] = weights[f"{prefix}output.LayerNorm.{leaf}"]
    return found
