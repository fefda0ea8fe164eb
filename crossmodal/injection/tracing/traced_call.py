"""A model and how it is called, with the example or with another input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .graph import Arg, Graph, leaves, mapped
from .tracer import Tracer


def first_tensor(output: Any) -> Tensor:
    """The tensor that a model returns, or the first of those in a tuple, list or mapping."""
    for leaf in leaves(output):
        if isinstance(leaf, Tensor):
            return leaf
    raise ValueError(f"sections_of: the model returns {type(output).__name__} without a tensor in it.")


@dataclass(frozen=True)
class TracedCall:
    """How a model is called, with one tensor or another, and which tensor of its output is meant."""

    model: nn.Module
    given: Tensor
    arguments: tuple[Any, Any]
    output: Callable[[Any], Tensor]

    @classmethod
    def of(cls, model: nn.Module, example: Any, named: Any, output: Callable[[Any], Tensor]) -> "TracedCall":
        """`ValueError` where the example does not hold exactly one tensor."""
        tensors = [leaf for leaf in leaves((example, named)) if isinstance(leaf, Tensor)]
        if len(tensors) != 1 or tensors[0].ndim < 2:
            raise ValueError(
                f"sections_of: the example holds {len(tensors)} tensors of shapes "
                f"{[tuple(tensor.shape) for tensor in tensors]}; an encoder takes one, (frame, …)."
            )
        return cls(model, tensors[0], (example, named), output)

    @property
    def another(self) -> Tensor:
        """An input of one more frame, and of other values where they are not whole numbers."""
        longer = torch.cat([self.given, self.given[:1]])
        return longer * -0.5 + 0.25 if longer.is_floating_point() else longer.flip(1)

    def tensor(self, given: Tensor) -> Tensor:
        """What the model makes of `given`."""
        args, kwargs = mapped(lambda leaf: given if leaf is self.given else leaf, self.arguments)
        return self.output(self.model(*args, **kwargs))

    def recorded(self, names: set[str], given: Tensor) -> tuple[Graph, Arg]:
        """The record of one forward in which the modules of those names, and others beside them, are left whole; and
        where its output came from."""
        opened = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."} | {""}
        whole = {
            name: module
            for name, module in self.model.named_modules()
            if name not in opened and name.rpartition(".")[0] in opened
        }
        record, output = Tracer(self.model, whole, given).recorded(lambda: self.tensor(given))
        return record, record.written(output, "the caller")
