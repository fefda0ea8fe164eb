"""Key mapping: rules that map a tensor of a released file to our names, or drop it with a reason."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn


class Finding(NamedTuple):
    """What a dropped tensor says about a module of the model.

    Attributes:
        note: For the report.
        clash: Why the model cannot take the file, as in the column “in the file” and “in this model”; `None` if it can.
        apply: Called once everything was loaded: sets up the module as the file says.
    """

    note: str
    clash: tuple[str, str] | None = None
    apply: Callable[[], None] | None = None


class Dropped(NamedTuple):
    """The result of a rule for a tensor that the model does not need, and why.

    Attributes:
        reason: For the report.
        module: Name of the module of the model that the tensor says something about.
        reads: Compares the tensor with that module; `None` where both agree.
    """

    reason: str
    module: str = ""
    reads: Callable[[nn.Module, Tensor], Finding | None] | None = None


Mapped = Mapping[str, Tensor] | Dropped | None
"""The result of a rule: tensors by our names, a dropped tensor, or `None` for an unknown name."""

Rule = Callable[[str, Tensor], Mapped]
"""`rule(name, tensor)`: maps one tensor of a file."""

CLASSIFIER = Dropped("the encoder's own classifier, which no recipe uses")

_BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)")
_MERGE = re.compile(r"layers\.(\d+)\.downsample\.(.+)")


def hierarchy_rule(
    block_rule: Rule, outside: Mapping[str, str], dropped: Mapping[str, Dropped], *, merge_offset: int = 0
) -> Rule:
    """Builds the rule of a Swin-like encoder, `layers.S.blocks.B.…` and `layers.S.downsample.…`.

    Args:
        block_rule: The rule of a block; its names start with those of our two halves, `attention.` and `mlp.`.
        outside: Module → ours, for what lies before and after the stages.
        dropped: Prefix → why names with it are dropped.
        merge_offset: 1 if the file counts a merge to the stage after it; ours ends the stage before.
    """

    def rule(name: str, tensor: Tensor) -> Mapped:
        if match := _BLOCK.fullmatch(name):
            stage, block, rest = match.groups()
            return add_prefix(block_rule(rest, tensor), f"sections.stages{stage}_{block}_")
        if match := _MERGE.fullmatch(name):
            return {f"sections.stages{int(match[1]) - merge_offset}_merge.merging.{match[2]}": tensor}
        for prefix, reason in dropped.items():
            if name.startswith(prefix):
                return reason
        return rename_rule(outside)(name, tensor)

    return rule


def rename_rule(names: Mapping[str, str]) -> Rule:
    """Builds the rule that renames modules and keeps the last part of a name; whole names may be renamed, too."""

    def rule(name: str, tensor: Tensor) -> Mapped:
        module, _, leaf = name.rpartition(".")
        if name in names:
            return {names[name]: tensor}
        return {f"{names[module]}.{leaf}": tensor} if module in names else None

    return rule


def prefix_rules(rules: Mapping[str, tuple[Rule | Dropped, str]]) -> Rule:
    """Builds the rule of a file of several parts from prefix in the file → (rule of the part, prefix in the model)."""

    def rule(name: str, tensor: Tensor) -> Mapped:
        for prefix, (part, ours) in rules.items():  # the first that fits: an empty one comes last
            if name.startswith(prefix):
                return part if isinstance(part, Dropped) else add_prefix(part(name.removeprefix(prefix), tensor), ours)
        return None

    return rule


def part_rule(rule: Rule, prefix: str, others: Dropped) -> Rule:
    """Builds the rule of one part of a model: the prefix is removed, and what belongs to other parts is dropped.

    Args:
        rule: The rule of the whole model.
        prefix: Of our names of that part; empty for the whole model.
        others: What becomes of tensors of other parts.
    """

    def part(name: str, tensor: Tensor) -> Mapped:
        mapped = rule(name, tensor)
        if mapped is None or isinstance(mapped, Dropped):
            return mapped
        kept = {ours.removeprefix(prefix): value for ours, value in mapped.items() if ours.startswith(prefix)}
        return kept or others

    return part


def add_prefix(mapped: Mapped, prefix: str) -> Mapped:
    """Adds a prefix to the names in the result of a rule."""
    if isinstance(mapped, Dropped):
        return mapped._replace(module=prefix + mapped.module) if mapped.module else mapped
    return None if mapped is None else {prefix + name: tensor for name, tensor in mapped.items()}


def split_qkv(tensor: Tensor, prefix: str, leaf: str) -> dict[str, Tensor]:
    """Splits a fused tensor of query, key and value into three."""
    parts = tensor.tensor_split(3) if tensor.dim() else (tensor,) * 3  # a scalar is reported as a misfit, three times
    return {f"{prefix}.{name}.{leaf}": part for name, part in zip(("query", "key", "value"), parts, strict=True)}


def as_matrix(tensor: Tensor) -> Tensor:
    """Flattens a tensor of more than two dimensions to a matrix: 1×1 kernels, scales of each head."""
    return tensor.flatten(1) if tensor.dim() > 2 else tensor


def map_state(released: Mapping[str, Tensor], rule: Rule, caller: str, module: str) -> dict[str, Tensor]:
    """Maps a whole state by a rule and leaves out what the rule drops.

    Args:
        released: The state of a released module.
        rule: Maps or drops each tensor.
        caller: The public function that errors name.
        module: The released module that errors name.

    Raises:
        KeyError: If the rule does not know a name.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in released.items():
        mapped = rule(name, tensor)
        if mapped is None:
            raise KeyError(f"{caller}: {name!r} is no parameter of {module}.")
        state |= {} if isinstance(mapped, Dropped) else mapped
    return state
