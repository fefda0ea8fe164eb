"""Reads `tests/golden/golden_avvp.*`: numbers of DG-SCT's released parsing model."""

import json
from functools import cache
from pathlib import Path

import torch
from golden_numbers import hashed, hashed_weight
from safetensors.torch import load_file
from torch import Tensor

FILE = Path(__file__).parent / "golden" / "golden_avvp.safetensors"


@cache
def facts(case: str) -> dict:
    """What the golden file says of a case."""
    return json.loads(FILE.with_suffix(".json").read_text())[case]


@cache
def _all() -> dict[str, Tensor]:
    return load_file(FILE)


def numbers(case: str, kind: str) -> dict[str, Tensor]:
    """All tensors of one kind of a case, by name."""
    prefix = f"{case}/{kind}/"
    return {key.removeprefix(prefix): value.clone() for key, value in _all().items() if key.startswith(prefix)}


def state(case: str) -> dict[str, Tensor]:
    """The released model's weights, stored or in closed form."""
    if "state_order" not in facts(case):
        return numbers("avvp_tiny", "state")
    return {
        name: hashed_weight(torch.Size(shape), position, len(shape) == 1 and name.endswith("weight"))
        for position, (name, shape) in enumerate(facts(case)["state_order"].items())
    }


def inputs(case: str) -> dict[str, Tensor]:
    """Pooled visual and audio streams, and motion features."""
    if "input_streams" not in facts(case):
        return {name: numbers("avvp_tiny", "in")[name] for name in ("visual", "audio", "st")}
    found = {}
    for name, stream in facts(case)["input_streams"].items():
        shape = torch.Size(facts(case)["inputs"][name])
        found[name] = torch.from_numpy(3**0.5 * hashed(shape.numel(), stream)).float().reshape(shape)
    return found


def present(case: str) -> Tensor:
    """The labels of the clips."""
    labels = torch.zeros(2, 25)
    labels[tuple(torch.tensor(facts(case)["labels"]).T)] = 1
    return labels
