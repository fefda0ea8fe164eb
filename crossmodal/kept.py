"""What follows from weights alone: computed anew while they learn, kept while they are frozen."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Kept:
    """The tensor last computed from the weights of a module, kept until one of them moves.

    A weight has moved when it was written in place (its version tells), replaced, loaded, emptied, or brought to
    another device or dtype. Only a write through `weight.data` leaves no trace: call `forget()` after one. Nothing is
    kept while a weight takes a gradient, on the meta device, under `torch.compile` or another tracer or transform, nor
    for weights born in inference mode, which count no versions.

    It is neither a parameter nor a buffer; copies and pickles start empty. What is kept is out of autograd.
    """

    def __init__(self) -> None:
        self._kept: tuple[Tensor, list[tuple[Tensor, int]]] | None = None

    def of(self, module: nn.Module, make: Callable[[], Tensor]) -> Tensor:
        """`make()`, or what it gave when the weights of `module` were the same. Treat it as read-only."""
        weights = list(module.parameters())
        if torch.compiler.is_compiling() or not all(map(_is_frozen, weights)):
            return make()
        kept = self._kept
        if kept is not None and _are_unmoved(weights, kept[1]):
            return kept[0]
        # A tensor born in inference mode could not be saved for a later backward.
        with torch.inference_mode(False), torch.no_grad():
            made = make()
        if type(made) is Tensor:  # a fake tensor belongs to its tracer
            # The aliases hold the storages, so that no later weight can lie where one of these lay.
            self._kept = made, [(weight.detach(), weight._version) for weight in weights]
        return made

    def forget(self) -> None:
        """Lets go of what is kept."""
        self._kept = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_kept": None}


def _is_frozen(weight: Tensor) -> bool:
    plain = type(weight) in (Tensor, nn.Parameter) and not weight.is_inference()
    return plain and not weight.requires_grad and _address(weight) != 0


def _are_unmoved(weights: Sequence[Tensor], seen: Sequence[tuple[Tensor, int]]) -> bool:
    return len(weights) == len(seen) and all(
        weight._version == version and _place(weight) == _place(alias)
        for weight, (alias, version) in zip(weights, seen, strict=True)
    )


def _place(weight: Tensor) -> tuple[object, ...]:
    return _address(weight), weight.dtype, weight.shape, weight.stride()


def _address(weight: Tensor) -> int:
    """Where its numbers lie; 0 where it has none of its own: on the meta device, or inside a transform."""
    try:
        return weight.data_ptr()
    except RuntimeError:
        return 0
