"""A model and how it is called, with the example or with another input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .graph import Arg, Graph, leaves, mapped
from .tracer import Tracer


def first_tensor(output: Any) -> Tensor:
    """Returns the tensor that a model returns, or the first in a tuple, list or mapping."""
    for leaf in leaves(output):
        if isinstance(leaf, Tensor):
            return leaf
    raise ValueError(f"sections_of: the model returns {type(output).__name__} without a tensor in it.")


@dataclass(frozen=True)
class TracedCall:
    """A call of a model that can be repeated with another input, and traced.

    Attributes:
        model: The model.
        given: The tensor of the example.
        arguments: All arguments, positional and named.
        output: Selects the tensor of the output that is meant.
    """

    model: nn.Module
    given: Tensor
    arguments: tuple[Any, Any]
    output: Callable[[Any], Tensor]

    @classmethod
    def of(cls, model: nn.Module, example: Any, named: Any, output: Callable[[Any], Tensor]) -> "TracedCall":
        """Makes the call of an example; raises `ValueError` where that does not hold exactly one tensor."""
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
        # whole numbers may be indices of a table: in another order they stay valid
        return longer * -0.5 + 0.25 if longer.is_floating_point() else longer.flip(1)

    def tensor(self, given: Tensor) -> Tensor:
        """Runs the model on `given`."""
        args, kwargs = mapped(lambda leaf: given if leaf is self.given else leaf, self.arguments)
        return self.output(self.model(*args, **kwargs))

    def traced(self, names: set[str], given: Tensor) -> tuple[Graph, Arg]:
        """Traces one forward.

        Args:
            names: Modules that are left whole, as are others beside them.
            given: The input.

        Returns:
            The graph, and where the output came from.
        """
        opened = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."} | {""}
        whole = {
            name: module
            for name, module in self.model.named_modules()
            if name not in opened and name.rpartition(".")[0] in opened
        }
        graph, output = Tracer(self.model, whole, given).traced(lambda: self.tensor(given))
        return graph, graph.resolved(output, "the caller")
