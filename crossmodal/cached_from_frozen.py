"""A cache for a tensor computed from weights only; valid while the weights are frozen."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .precision import for_later_calls, numeric_settings


class CachedFromFrozen:
    """Caches the tensor last computed from the weights of a module, until one of them changes.

    A weight has changed when it was written in place (its version tells), replaced, loaded, emptied, or brought to
    another device or dtype. Only a write through `weight.data` leaves no trace: call `clear()` after one. Nothing is
    cached while a weight takes a gradient, on the meta device, under `torch.compile` or another tracer or transform,
    nor for weights created in inference mode, which count no versions.

    The modes of the call that fills the cache leave no trace in it: the result is computed outside of autocast and of
    inference mode, and anew under another default dtype or precision of products. The caller makes sure that it depends
    on nothing else: a hook or a replaced layer may do more.

    It is neither a parameter nor a buffer; copies and pickles start empty. What is cached is out of autograd.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._cached: tuple[Tensor, list[tuple[Tensor, int]], tuple[object, ...], list[object]] | None = None

    def get(self, module: nn.Module, compute: Callable[[], Tensor], *others: object) -> Tensor:
        """Returns `compute()`, or its earlier result if all that it depends on was the same. Read-only.

        Args:
            module: Whose parameters the result depends on.
            compute: Computes the result.
            *others: Further objects that the result depends on, told apart by identity.
        """
        weights = list(module.parameters())
        settings = None if torch.compiler.is_compiling() else numeric_settings()
        if settings is None or not all(map(self.may_keep, weights)):
            return compute()
        beside, cached = [*map(type, module.modules()), *others], self._cached
        same = cached is not None and cached[2] == settings and _are_same(beside, cached[3])
        if cached is not None and same and _are_unmoved(weights, cached[1]):
            return cached[0]
        with for_later_calls(weights[0].device if weights else torch.device("cpu")):
            made = compute()
        if type(made) is Tensor:  # a fake tensor belongs to its tracer
            # The aliases hold the storages, so that no later weight can lie where one of these lay.
            self._cached = made, [(weight.detach(), weight._version) for weight in weights], settings, beside
        return made

    def may_keep(self, weight: Tensor) -> bool:
        """Returns whether a result that depends on this weight may be kept until the weight changes."""
        return is_plain_storage(weight) and not weight.requires_grad

    def clear(self) -> None:
        """Empties the cache."""
        self._cached = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_cached": None}


class CachedWithoutGradients(CachedFromFrozen):
    """The same, and while gradients are off also for weights that learn: one computation per evaluation.

    With gradients on, a result of weights that learn is computed by every call.
    """

    def may_keep(self, weight: Tensor) -> bool:
        """Returns whether a result that depends on this weight may be kept until the weight changes."""
        return is_plain_storage(weight) and not (weight.requires_grad and torch.is_grad_enabled())


def is_plain_storage(weight: Tensor) -> bool:
    """Returns whether a weight has numbers of its own and counts the writes to them."""
    return type(weight) in (Tensor, nn.Parameter) and not weight.is_inference() and _address(weight) != 0


def _are_same(ours: Sequence[object], theirs: Sequence[object]) -> bool:
    return len(ours) == len(theirs) and all(one is other for one, other in zip(ours, theirs, strict=True))


def _are_unmoved(weights: Sequence[Tensor], seen: Sequence[tuple[Tensor, int]]) -> bool:
    return len(weights) == len(seen) and all(
        weight._version == version and _place(weight) == _place(alias)
        for weight, (alias, version) in zip(weights, seen, strict=True)
    )


def _place(weight: Tensor) -> tuple[object, ...]:
    return _address(weight), weight.dtype, weight.shape, weight.stride()


def _address(weight: Tensor) -> int:
    """Returns where its numbers lie; 0 where it has none of its own: on the meta device, or inside a transform."""
    try:
        return weight.data_ptr()
    except RuntimeError:
        return 0
