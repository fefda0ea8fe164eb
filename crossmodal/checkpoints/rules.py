"""Rules: what a released tensor becomes under our names, or why it is left out."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor


class Dropped(NamedTuple):
    """A released tensor that has no place here, and why it needs none."""

    reason: str


Placed = Mapping[str, Tensor] | Dropped | None
Rule = Callable[[str, Tensor], Placed]
"""`rule(name, tensor)`: the tensors it becomes, by our names; or why it is dropped; `None` for a name nobody knows."""

CLASSIFIER = Dropped("the encoder's own classifier, which no recipe uses")
MASK = Dropped("the mask of shifted windows, computed here")
INDEX = Dropped("the index of relative positions, computed here")

_BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)")
_MERGE = re.compile(r"layers\.(\d+)\.downsample\.(.+)")


def hierarchy_rule(
    inside: Rule, outside: Mapping[str, str], dropped: Mapping[str, Dropped], *, earlier: int = 0
) -> Rule:
    """The rule of a Swin-like encoder, `layers.S.blocks.B.…` and `layers.S.downsample.…`, for ours.

    - `inside`: the rule of a block; its names are those of the two halves, `attention.…` and `mlp.…`.
    - `outside`: module → ours, for what lies before and after the stages.
    - `dropped`: prefixes of names that have no place here.
    - `earlier`: 1 where a merge belongs to the stage that it leads to; ours end the stage before.
    """

    def rule(name: str, tensor: Tensor) -> Placed:
        if found := _BLOCK.fullmatch(name):
            stage, block, rest = found.groups()
            return moved(inside(rest, tensor), f"sections.stages{stage}_{block}_")
        if found := _MERGE.fullmatch(name):
            return {f"sections.stages{int(found[1]) - earlier}_merge.merging.{found[2]}": tensor}
        for prefix, why in dropped.items():
            if name.startswith(prefix):
                return why
        return renamed(outside)(name, tensor)

    return rule


def renamed(names: Mapping[str, str]) -> Rule:
    """The rule that renames modules and keeps what follows the last dot; a whole name may be renamed, too."""

    def rule(name: str, tensor: Tensor) -> Placed:
        module, _, leaf = name.rpartition(".")
        if name in names:
            return {names[name]: tensor}
        return {f"{names[module]}.{leaf}": tensor} if module in names else None

    return rule


def within(rules: Mapping[str, tuple[Rule | Dropped, str]]) -> Rule:
    """The rule of a file of several parts: prefix there → (the rule of the part, its prefix here)."""

    def rule(name: str, tensor: Tensor) -> Placed:
        for prefix, (part, here) in rules.items():
            if name.startswith(prefix):
                return part if isinstance(part, Dropped) else moved(part(name.removeprefix(prefix), tensor), here)
        return None

    return rule


def moved(placed: Placed, prefix: str) -> Placed:
    """What a rule said, under a prefix."""
    return {prefix + name: tensor for name, tensor in placed.items()} if isinstance(placed, Mapping) else placed


def thirds(tensor: Tensor, prefix: str, leaf: str) -> dict[str, Tensor]:
    """A fused tensor of query, key and value as three."""
    parts = tensor.tensor_split(3) if tensor.dim() else (tensor,) * 3
    return {f"{prefix}.{name}.{leaf}": part for name, part in zip(("query", "key", "value"), parts, strict=True)}


def flat(tensor: Tensor) -> Tensor:
    """A tensor as a matrix, where it is more than one: 1×1 kernels, scales a head."""
    return tensor.flatten(1) if tensor.dim() > 2 else tensor


def only_ours(released: Mapping[str, Tensor], rule: Rule, caller: str, module: str) -> dict[str, Tensor]:
    """What a rule makes of a state, without what it drops; `KeyError` on a name that it does not know."""
    ours: dict[str, Tensor] = {}
    for name, tensor in released.items():
        placed = rule(name, tensor)
        if placed is None:
            raise KeyError(f"{caller}: {name!r} is no parameter of {module}.")
        ours |= {} if isinstance(placed, Dropped) else placed
    return ours
