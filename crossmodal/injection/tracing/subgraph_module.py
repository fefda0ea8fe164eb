"""A part of a cut model: some of its modules, and the few calls between them."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from ...shapes import shaped
from .graph import Arg, Attr, BatchMultiple, Node, leaves, mapped


class InputLayout(Protocol):
    """Layout of the input of a subgraph."""

    def features(self, stream: Tensor) -> Tensor:
        """Converts a stream to the model's own layout."""


class OutputLayout(Protocol):
    """Layout of the output of a subgraph."""

    def stream(self, tensor: Tensor) -> Tensor:
        """Converts a tensor of the model to what an `Encoder` hands on."""


class InputDevice:
    """Placeholder for the device that a subgraph runs on."""


class SubgraphModule(nn.Module):
    """Runs a part of a traced model, its stem, a section or its head, on what it is given."""

    def __init__(
        self,
        model: nn.Module,
        nodes: Sequence[Node],
        result: Arg,
        *,
        reads: InputLayout,
        writes: OutputLayout,
        homes: "dict[str, SubgraphModule]",
    ):
        """Registers the modules and weights that the nodes use.

        Args:
            model: The model that was traced; what the nodes use of it is registered here, under its dotted name with
                `_` for `.`, unless another part has registered it.
            nodes: In order. `Arg(-1)` is the input of the part, in the model's own layout.
            result: Which of their results is returned.
            reads: Layout of the input.
            writes: Layout of the output.
            homes: Dotted name → the part that has it; filled on the way.

        Raises:
            ValueError: If two names would be registered under one key.
        """
        super().__init__()
        self.nodes, self.result, self.reads, self.writes = tuple(nodes), result, reads, writes
        # a plain dict registers nothing: a weight that several parts use stands in the state_dict once
        self.borrowed: dict[str, SubgraphModule] = {}
        for name in dict.fromkeys(name for node in nodes for name in node.held):
            if homes.setdefault(name, self) is self:
                self._register(name, model)
            else:
                self.borrowed[name] = homes[name]

    @shaped
    def forward(self, given: Tensor) -> Tensor:
        """Runs the nodes.

        Args:
            given: The model's input, or a stream `(frame, token, channel)`.
        """
        values: dict[int, tuple[Tensor, ...]] = {-1: (self.reads.features(given),)}
        for number, node in enumerate(self.nodes):
            target, args, kwargs = self._filled((node.target, node.args, node.kwargs), values)
            values[number] = tuple(leaf for leaf in leaves(target(*args, **kwargs)) if isinstance(leaf, Tensor))
        return self.writes.stream(values[self.result.node][self.result.leaf])

    def extra_repr(self) -> str:
        """Returns the nodes and layouts that `print` shows."""
        return f"runs={[str(node) for node in self.nodes]}, reads={self.reads}, writes={self.writes}"

    def _filled(self, value: Any, values: dict[int, tuple[Tensor, ...]]) -> Any:
        """Puts tensors, modules and numbers into the places that were kept for them."""

        def one(leaf: Any) -> Any:
            if isinstance(leaf, Arg):
                return values[leaf.node][leaf.leaf]
            if isinstance(leaf, Attr):
                return getattr(self.borrowed.get(leaf.name, self), key(leaf.name))
            if isinstance(leaf, BatchMultiple):
                return leaf.times * len(values[-1][0])
            return values[-1][0].device if isinstance(leaf, InputDevice) else leaf

        return mapped(one, value)

    def _register(self, name: str, model: nn.Module) -> None:
        if hasattr(self, key(name)):
            raise ValueError(
                f"sections_of: {name!r} becomes the key {key(name)!r} when '.' is written '_', which another "
                "part of the model has: rename a module."
            )
        owner, _, last = name.rpartition(".")
        parent = model.get_submodule(owner)
        if last in parent._modules:
            self.add_module(key(name), parent.get_submodule(last))
        elif last in parent._parameters:
            self.register_parameter(key(name), parent.get_parameter(last))
        else:
            kept = last not in parent._non_persistent_buffers_set
            self.register_buffer(key(name), parent.get_buffer(last), persistent=kept)


def key(name: str) -> str:
    """Returns the key under which a part registers what the model calls by that dotted name."""
    return name.replace(".", "_")


class ModelInput:
    """Layout of the model's input, checked against the example that it was cut with."""

    def __init__(self, example: Tensor):
        """Notes shape and kind of the example."""
        self.shape, self.floating = tuple(example.shape[1:]), example.is_floating_point()

    def features(self, stream: Tensor) -> Tensor:
        """Returns `stream`, the model's input, as it is; raises `ValueError` where it is unlike the example."""
        if stream.shape[1:] != self.shape or stream.is_floating_point() != self.floating:
            raise ValueError(
                f"SubgraphModule: given has shape {tuple(stream.shape)} ({stream.dtype}), but the encoder was cut for "
                f"(frame, {', '.join(map(str, self.shape))}) of {'floating' if self.floating else 'whole'} numbers: "
                "cut the model again with an example of this kind (sections_of)."
            )
        return stream

    def __repr__(self) -> str:
        return f"(frame, {', '.join(map(str, self.shape))})"


class ModelOutput:
    """Layout of the model's output: as it is."""

    def stream(self, tensor: Tensor) -> Tensor:
        """Returns `tensor`."""
        return tensor

    def __repr__(self) -> str:
        return "the model's output"
