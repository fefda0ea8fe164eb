"""A part of a cut model: some of its modules, and the few calls between them."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from ...shapes import shaped
from .graph import Arg, Attr, BatchMultiple, Node, leaves, mapped


class InputLayout(Protocol):
    """The side of a part where something is given."""

    def features(self, stream: Tensor) -> Tensor:
        """What the model works with."""


class OutputLayout(Protocol):
    """The side of a part where something is handed on."""

    def stream(self, tensor: Tensor) -> Tensor:
        """What an `Encoder` hands on."""


class InputDevice:
    """Stands for the device that a part runs on."""


class SubgraphModule(nn.Module):
    """Runs a few lines of a model on what it is given: its stem, a section, its head.

    - `model`: the model that the lines were recorded from; what they use of it is registered here, under its dotted
      name with `_` for `.`, unless another part has registered it.
    - `lines`: in order. `Arg(-1)` is what the part is given, in the model's own layout.
    - `result`: what of them is returned.
    - `reads`, `writes`: the layouts of what is given and returned.
    - `homes`: dotted name → the part that has it; filled on the way.
    """

    def __init__(
        self,
        model: nn.Module,
        lines: Sequence[Node],
        result: Arg,
        *,
        reads: InputLayout,
        writes: OutputLayout,
        homes: "dict[str, SubgraphModule]",
    ):
        super().__init__()
        self.lines, self.result, self.reads, self.writes = tuple(lines), result, reads, writes
        self.borrowed: dict[str, SubgraphModule] = {}
        for name in dict.fromkeys(name for line in lines for name in line.held):
            if homes.setdefault(name, self) is self:
                self._register(name, model)
            else:
                self.borrowed[name] = homes[name]

    @shaped
    def forward(self, given: Tensor) -> Tensor:
        """`given`: what the model takes, or a stream `(frame, token, channel)`."""
        values: dict[int, tuple[Tensor, ...]] = {-1: (self.reads.features(given),)}
        for number, line in enumerate(self.lines):
            target, args, kwargs = self._filled((line.target, line.args, line.kwargs), values)
            values[number] = tuple(leaf for leaf in leaves(target(*args, **kwargs)) if isinstance(leaf, Tensor))
        return self.writes.stream(values[self.result.line][self.result.leaf])

    def extra_repr(self) -> str:
        return f"runs={[str(line) for line in self.lines]}, reads={self.reads}, writes={self.writes}"

    def _filled(self, value: Any, values: dict[int, tuple[Tensor, ...]]) -> Any:
        """`value` with tensors, modules and numbers in the places that were kept for them."""

        def one(leaf: Any) -> Any:
            if isinstance(leaf, Arg):
                return values[leaf.line][leaf.leaf]
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
    """Under which a part registers what the model calls by that dotted name."""
    return name.replace(".", "_")


class ModelInput:
    """What a model takes: checked against the example that it was cut with."""

    def __init__(self, example: Tensor):
        self.shape, self.floating = tuple(example.shape[1:]), example.is_floating_point()

    def features(self, stream: Tensor) -> Tensor:
        """`stream`, which is the model's input here, where it has the example's size."""
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
    """What a model returns, as it is."""

    def stream(self, tensor: Tensor) -> Tensor:
        """`tensor`."""
        return tensor

    def __repr__(self) -> str:
        return "the model's output"
