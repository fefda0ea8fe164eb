"""Counts bytes that the operations of a training step read and write, by the part that asked for them and by kind."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from crossmodal.ledger.fused import FLASH
from crossmodal.ledger.nested import shadow, tensors_in
from crossmodal.ledger.profiler import Profiler

aten = torch.ops.aten
KINDS = {
    "norms and activations": ("norm", "gelu", "softmax", "sigmoid", "tanh", "relu", "threshold"),
    "copies": ("copy", "clone", "cat", "index", "stack", "repeat", "fill", "zero", "flip", "constant_pad"),
    "sums": ("sum", "mean", "var", "amax", "linalg_vector_norm"),
}
"""Kind → words, one of which is in the name of an operation of this kind; products come first, all else is "passes"."""
WITHOUT_MEMORY = {
    getattr(aten, name)
    for name in (
        "_unsafe_view",
        "empty",
        "empty_like",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "detach",
        "lift_fresh",
    )
}

Traffic = dict[tuple[str, str, str], int]
"""(path of a module, phase, kind of operation) → bytes."""


class Moved(TorchDispatchMode):
    """Books the bytes of every operation that runs to the module that a profiler is charging."""

    def __init__(self, profiler: Profiler):
        """Starts at zero; `profiler` tells which module runs."""
        super().__init__()
        self.profiler = profiler
        self.moved: Traffic = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not _is_view(func) and func._overloadpacket not in WITHOUT_MEMORY:
            place = self.profiler.path, self.profiler.phase, kind_of(func)
            bytes_here = sum(map(touched, [*tensors_in(args), *tensors_in(made)]))
            self.moved[place] = self.moved.get(place, 0) + bytes_here
        return made


def moved_by(model: nn.Module, *inputs: Any) -> tuple[dict[str, Any], Traffic]:
    """Runs a step of a copy without data: returns the costs by module, and the bytes moved."""
    profiler = Profiler(shadow(model))
    counting = Moved(profiler)
    with counting:
        shares = profiler.run(*inputs)
    return shares, counting.moved


def kind_of(func: Any) -> str:
    """Returns the kind of an operation: a product, one of `KINDS`, or another pass over its tensors."""
    packet = func._overloadpacket
    if packet in flop_registry or packet is FLASH or "flash_attention" in str(packet):
        return "products"
    name = packet.__name__
    return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "passes")


def touched(tensor: Tensor) -> int:
    """Returns the bytes of a tensor that differ: an expanded axis is read once."""
    sizes = [size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    return torch.Size(sizes).numel() * tensor.element_size()


def _is_view(func: Any) -> bool:
    """Returns whether an operation gives its argument another shape and moves nothing."""
    returns = func._schema.returns
    return any(of.alias_info is not None and not of.alias_info.is_write for of in returns)


PARTS = ("frozen encoders, forward", "frozen encoders, gradients of activations", "couplers", "heads and stems")


def part_of(path: str, phase: str) -> str:
    """Returns the part of a step to which a module belongs."""
    if ".couplers." in f".{path}.":
        return PARTS[2]
    inside = ".encoders." in f".{path}." and ".stem" not in path
    return PARTS[0 if phase == "forward" else 1] if inside else PARTS[3]


def by_part(shares: Mapping[str, Any], moved: Traffic) -> dict[str, dict[str, int]]:
    """Sums operations and bytes by part: `"operations"`, and bytes by kind."""
    found: dict[str, dict[str, int]] = {part: {} for part in PARTS}
    for (path, phase, kind), number in moved.items():
        _add(found[part_of(path, phase)], kind, number)
    for path, share in shares.items():
        for phase, operations in (("forward", share.forward), ("backward", share.backward)):
            _add(found[part_of(path, phase)], "operations", operations)
    return found


def of_couplers(shares: Mapping[str, Any]) -> dict[str, int]:
    """Sums the operations of couplers by stage and module of an adapter, largest first."""
    found: dict[str, int] = {}
    for path, share in shares.items():
        if path.startswith("coupled.couplers."):
            _, _, coupler, *inside = path.split(".")
            _add(found, f"stage {int(coupler[6]) + 1}, {'.'.join(_named(inside))}", share.step)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _named(inside: list[str]) -> Iterator[str]:
    """Yields the words of a path that name a block: without the edge, and without a running number."""
    yield from [word for word in inside[1:3] if not word.isdigit()] or ["of the adapter itself"]
    if inside[2:3] == ["stages"]:
        yield inside[4] if len(inside) > 4 else ""


def _add(found: dict[str, int], name: str, number: int) -> None:
    found[name] = found.get(name, 0) + number
