"""The graph of one forward: what a model does between its modules, to be run again without it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class Arg:
    """The tensor number `leaf` in the result of node number `node`; node -1 is the model's input."""

    node: int
    leaf: int = 0


@dataclass(frozen=True)
class Attr:
    """A module, parameter or buffer of the model, by its dotted name."""

    name: str


@dataclass(frozen=True)
class BatchMultiple:
    """An integer that is `times` the number of frames, whatever that is."""

    times: int


class Node(NamedTuple):
    """One call: of a module that was left whole (`Attr`), or of a torch function by the model's own code."""

    target: Attr | Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def refs(self) -> Iterator[Arg]:
        """The tensors that it takes from other nodes."""
        return (leaf for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, Arg))

    @property
    def held(self) -> Iterator[str]:
        """Names of what it takes from the model."""
        return (leaf.name for leaf in leaves((self.target, self.args, self.kwargs)) if isinstance(leaf, Attr))

    def __str__(self) -> str:
        return self.target.name if isinstance(self.target, Attr) else getattr(self.target, "__name__", "a function")


@dataclass
class Graph:
    """The traced nodes of one forward, in order.

    Attributes:
        nodes: The calls.
        origin: Id of a tensor → where it came from.
        tensors: The tensors themselves, which are kept so that ids stay.
        versions: Their versions when they were made: another one later says that they were overwritten.
        moving: Numbers of the nodes that depend on the input or on weights.
    """

    nodes: list[Node] = field(default_factory=list)
    origin: dict[int, Arg | Attr] = field(default_factory=dict)
    tensors: dict[Arg, Tensor] = field(default_factory=dict)
    versions: dict[Arg, int] = field(default_factory=dict)
    moving: set[int] = field(default_factory=lambda: {-1})

    def add(self, target: Any, wrote: Any, result: Any) -> None:
        """Appends a node; `wrote` holds its `(args, kwargs)`, as `resolved` gives them."""
        node = Node(target, *wrote)
        if any(True for _ in node.held) or any(ref.node in self.moving for ref in node.refs):
            self.moving.add(len(self.nodes))
        self.nodes.append(node)
        self.bind(len(self.nodes) - 1, result)

    def bind(self, node: int, result: Any) -> None:
        """Notes that the tensors in `result` come from that node from now on."""
        for at, tensor in enumerate(leaf for leaf in leaves(result) if isinstance(leaf, Tensor)):
            # an id is unique as long as `tensors`, below, keeps the tensor alive
            self.origin[id(tensor)] = Arg(node, at)
            self.tensors[Arg(node, at)], self.versions[Arg(node, at)] = tensor, tensor._version

    def resolved(self, value: Any, where: object) -> Any:
        """Replaces every tensor in `value` by where it comes from; raises `ValueError` where that cannot be seen."""

        def one(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if id(leaf) not in self.origin:
                raise ValueError(
                    f"sections_of: {where} is given a tensor of shape {tuple(leaf.shape)} that is neither a parameter, "
                    "nor a buffer, nor comes from a torch function or a module that could be watched (an autograd "
                    "function, the model's own activation checkpointing, a plain attribute); register it as a buffer, "
                    "or switch checkpointing off."
                )
            return self.origin[id(leaf)]

        return mapped(one, value)


def leaves(value: Any) -> Iterator[Any]:
    """Yields what is inside tuples, lists, dictionaries and slices."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    elif isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Applies `function` to what is inside tuples, lists, dictionaries and slices."""
    if isinstance(value, Mapping):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(mapped(function, item) for item in (value.start, value.stop, value.step)))
    if isinstance(value, list):
        return [mapped(function, item) for item in value]
    if isinstance(value, tuple):
        items = [mapped(function, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return function(value)
