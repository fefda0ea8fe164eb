"""Tells whether a block may use the weights of a layer instead of calling it, and how their products are computed."""

from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Kind = TypeVar("Kind", bound=type[nn.Module])
Layer = TypeVar("Layer", bound=nn.Module)
Hook = TypeVar("Hook", bound=Callable[..., Any])

_stand_ins: dict[type[nn.Module], type[nn.Module]] = {}


def is_plain(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Returns whether calling `module` computes what the class it was built from computes, and nothing else.

    A block that evaluates a layer through its weights asks this first and otherwise calls the layer. So a layer that
    was replaced (even by a subclass), wrapped, parametrized, quantised, hooked or given its own `forward` is used.
    Hooks for all modules (`register_module_forward_hook`) and those marked by `measuring` do not count.

    Args:
        module: The layer.
        kinds: Classes that it may have, exactly, or be the stand-in of.
    """
    kind = type(module)
    return _stand_ins.get(kind, kind) in kinds and is_unobserved(module) and _has_ordinary_weights(module)


def is_affine(module: nn.Module, kind: type[Layer]) -> TypeGuard[Layer]:
    """Returns whether `module` is a plain `kind` that has all its weights: not built with `bias=False`, for one."""
    return is_plain(module, kind) and all(weight is not None for weight in module._parameters.values())


def all_plain(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Returns whether `module` and all modules inside it are plain and of one of `kinds`."""
    return all(is_plain(part, *kinds) for part in module.modules())


def is_unobserved(module: nn.Module) -> bool:
    """Returns whether `module` has no hooks, forward or backward, and the `forward` of its class."""
    for hooks in (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    ):
        if hooks and not all(getattr(hook, "measures", False) for hook in hooks.values()):
            return False
    return "forward" not in module.__dict__


def measuring(hook: Hook) -> Hook:
    """Marks a hook that measures a model as it runs: it may be passed by, and does not change the evaluation."""
    hook.measures = True  # type: ignore[attr-defined]
    return hook


def stands_in_for(kind: type[nn.Module]) -> Callable[[Kind], Kind]:
    """Declares a class to compute what `kind` computes, from the same weights, as an execution transform needs it."""

    def declare(own: Kind) -> Kind:
        _stand_ins[own] = kind
        return own

    return declare


class Products:
    """Products with the weights of plain linear layers, as torch computes them.

    A stand-in of `nn.Linear` offers others by an attribute `products`: a class with these functions.
    """

    @staticmethod
    def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Returns `input @ weightᵀ + bias`."""
        return F.linear(input, weight, bias)

    @staticmethod
    def times(input: Tensor, matrix: Tensor) -> Tensor:
        """Returns `input @ matrix`."""
        return input @ matrix

    @staticmethod
    def feed_forward(input: Tensor, widen: nn.Linear, narrow: nn.Linear) -> Tensor:
        """Returns `narrow(gelu(widen(input)))`; without gradients the hidden layer is overwritten by its GELU."""
        hidden = widen(input)
        return narrow(F.gelu(hidden) if hidden.requires_grad else torch.ops.aten.gelu_(hidden))


def products_of(layer: nn.Module) -> type[Products]:
    """Returns how the products with the weights of a plain linear layer are computed."""
    return getattr(type(layer), "products", Products)


def _has_ordinary_weights(module: nn.Module) -> bool:
    """Returns whether no weight is of a tensor subclass, which may be quantised, sharded or traced."""
    if torch.compiler.is_compiling():
        return True
    return all(weight is None or type(weight) in (Tensor, nn.Parameter) for weight in module._parameters.values())
