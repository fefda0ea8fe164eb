"""Reads `tests/golden/baselines/`: numbers of the published event baselines, weights and inputs in closed form."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from golden_numbers import hashed, hashed_weight
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "golden" / "baselines"


@cache
def facts(case: str) -> dict:
    """What the golden file says of itself."""
    return json.loads((FOLDER / f"{case}.json").read_text())


@cache
def _numbers(case: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{case}.safetensors")


def numbers(case: str, kind: str) -> dict[str, Tensor]:
    """All tensors of one kind, by name."""
    prefix = f"{case}/{kind}/"
    return {key.removeprefix(prefix): value for key, value in _numbers(case).items() if key.startswith(prefix)}


@cache
def state(case: str) -> dict[str, Tensor]:
    """The published module's weights; only those that get a gradient are worth their time."""
    dead = set(facts(case)["no_gradient_from_loss"])
    return {
        name: torch.zeros(shape)
        if name in dead
        else hashed_weight(torch.Size(shape), position, len(shape) == 1 and name.endswith("weight"))
        for position, (name, shape) in enumerate(facts(case)["state"].items())
    }


def inputs(case: str) -> dict[str, Tensor]:
    """Features in float64, maps with one axis of tokens."""
    found = {}
    for name, said in facts(case)["inputs"].items():
        scale, stream = re.fullmatch(r"max\(0, (\d* ?)h\), stream (\d+)", said["formula"]).groups()
        values = np.maximum(0, int(scale or 1) * hashed(np.prod(said["shape"]), int(stream)))
        tensor = torch.from_numpy(values.astype(np.float32)).double().reshape(said["shape"])
        found[name] = tensor.flatten(2, -2) if tensor.ndim > 3 else tensor
    return found
