"""A tracer: notes the calls of a model while it runs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from .graph import Arg, Attr, Graph, leaves

R = TypeVar("R")

READ_OFF = {"item", "tolist", "numpy", "equal", "allclose", "is_nonzero", "__array__", "__contains__"} | {
    f"__{kind}__" for kind in ("bool", "int", "float", "index", "complex")
}
"""Functions that turn what a tensor holds into Python values."""


class Tracer(TorchFunctionMode):
    """Traces what `model` does with `given`: calls of `whole` modules, and torch functions outside of them.

    `Tracer(model, whole, given).traced(forward)`. What a function returns that is no tensor (a size, a device) is not
    traced: it stands in the nodes as the number that it was.
    """

    def __init__(self, model: nn.Module, whole: Mapping[str, nn.Module], given: Tensor):
        """Starts an empty graph.

        Args:
            model: Its parameters and buffers become attributes of the graph.
            whole: Modules that are not looked into, by dotted name.
            given: The input.
        """
        super().__init__()
        self.graph, self.whole, self.inside = Graph(), whole, 0
        for tensors in (model.named_parameters(), model.named_buffers()):
            self.graph.origin.update({id(tensor): Attr(name) for name, tensor in tensors})
        self.graph.bind(-1, given)
        self.called: list[tuple[Any, Any]] = []

    def traced(self, forward: Callable[[], R]) -> tuple[Graph, R]:
        """Calls `forward` once; returns the graph of it and its result. No hook stays."""
        handles = self._watch()
        try:
            with self:
                return self.graph, forward()
        finally:
            for handle in handles:
                handle.remove()

    def _watch(self) -> list[RemovableHandle]:
        """Hooks that tell when a module that is left whole runs."""
        handles = []
        for name, module in self.whole.items():
            handles += [
                # before the module's own hooks, and the other one after them: what hooks do belongs to the module
                module.register_forward_pre_hook(self._entering, with_kwargs=True, prepend=True),
                module.register_forward_hook(partial(self._left, name), with_kwargs=True),
            ]
        return handles

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.inside:
            return func(*args, **kwargs)
        target, called = _function(func, args)
        result = func(*args, **kwargs)
        # an assignment returns None: what it wrote to is its result
        result = args[0] if target is overwritten else result
        if any(isinstance(leaf, Tensor) for leaf in leaves(result)):
            wrote = self.graph.resolved((called, kwargs), getattr(func, "__name__", func))
            self.graph.add(target, wrote, result)
        elif getattr(func, "__name__", "") in READ_OFF:
            self._refuse_reading(func.__name__, args)
        return result

    def _refuse_reading(self, name: str, args: Any) -> None:
        for leaf in leaves(args):
            origin = self.graph.origin.get(id(leaf)) if isinstance(leaf, Tensor) else None
            if isinstance(origin, Attr) or (isinstance(origin, Arg) and origin.node in self.graph.moving):
                raise ValueError(
                    f"sections_of: the model's own code calls {name}() on a tensor between its modules, and what it "
                    "does may depend on the answer: such a model cannot be cut."
                )

    def _entering(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not self.inside:
            self.called.append(self.graph.resolved((args, kwargs), type(module).__name__))
        self.inside += 1

    def _left(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self.inside -= 1
        if not self.inside:
            self.graph.add(Attr(name), self.called.pop(), output)


def _function(func: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Returns a torch function as it can be called, copied and saved: attributes of tensors are read by `getattr`."""
    if getattr(func, "__name__", "") == "__get__":
        return getattr, (*args[:1], func.__self__.__name__)
    return (overwritten if func is torch.Tensor.__setitem__ else func), args


def overwritten(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """Does `tensor[index] = value` and returns the tensor."""
    tensor[index] = value
    return tensor
