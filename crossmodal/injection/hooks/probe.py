"""Finding the streams of a third-party model by one forward."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .channel_axis import ObservedShapes, Shape
from .tensor_layout import TensorLayout, layout_of

Shapes = tuple[tuple[Shape | None, Shape | None], ...]


@dataclass(frozen=True)
class ProbedModule:
    """Input and output of one module of a third-party model, as a probing forward found them.

    Attributes:
        shapes: Of its first tensor in and out, for each different way in which the forward called it.
        reads: Layout of its input; `None` where that is no stream, or not always the same.
        writes: Layout of its output, likewise.
    """

    shapes: Shapes
    reads: TensorLayout | None
    writes: TensorLayout | None


def read_shapes(model: nn.Module, *example: Any, **named: Any) -> dict[str, ProbedModule]:
    """Finds every module that runs in one forward, with the streams in and out of it as their shapes tell.

    The forward runs once, in evaluation mode and without gradients; training flags are put back, no hook stays. The
    input is the first tensor among the arguments, the output the tensor returned or the first item of a tuple.
    `ObservedShapes` says how layouts are inferred; where channels could be first or last, probe with a picture that is
    not square. Works on the meta device too. No shape proves where tokens lie: `sites` checks it.

    Args:
        model: Any module.
        *example: Arguments of the model.
        **named: Keyword arguments of the model.

    Returns:
        Name of the module → what was found.
    """
    calls: dict[str, list[tuple[Shape | None, Shape | None]]] = {}
    modules = {name: module for name, module in model.named_modules() if name}
    handles = [
        module.register_forward_hook(partial(_note, calls.setdefault(name, [])), with_kwargs=True)
        for name, module in modules.items()
    ]
    try:
        with evaluating(model):
            model(*example, **named)
    finally:
        for handle in handles:
            handle.remove()
    shapes = {name: tuple(dict.fromkeys(seen)) for name, seen in calls.items() if seen}
    observed = ObservedShapes(
        modules, {name: [shape for pair in pairs for shape in pair if shape] for name, pairs in shapes.items()}
    )
    return {name: _probed(name, pairs, observed) for name, pairs in shapes.items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Keeps a model in evaluation mode and without gradients for a while; puts training flags back."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            # one by one: `model.train()` would also wake modules that were in evaluation mode
            module.training = training


def read_tensor(args: Iterable[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Returns the input of a module: the first tensor among its arguments."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            return value
    return None


def written_tensor(output: Any) -> Tensor | None:
    """Returns the output of a module: the tensor, or the first item of a tuple or list."""
    first = output[0] if isinstance(output, (tuple, list)) and output else output
    return first if isinstance(first, Tensor) else None


def rewritten(output: Any, tensor: Tensor) -> Any:
    """Replaces `written_tensor(output)` in `output` by `tensor`."""
    if isinstance(output, Tensor):
        return tensor
    if hasattr(output, "_fields"):
        return type(output)(tensor, *output[1:])  # a NamedTuple takes its fields one by one
    return type(output)((tensor, *output[1:]))


def _note(
    seen: list[tuple[Shape | None, Shape | None]],
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: Any,
) -> None:
    seen.append((_shape(read_tensor(args, kwargs)), _shape(written_tensor(output))))


def _shape(tensor: Tensor | None) -> Shape | None:
    return None if tensor is None else tuple(tensor.shape)


def _probed(name: str, shapes: Shapes, observed: ObservedShapes) -> ProbedModule:
    layouts: list[TensorLayout | None] = []
    for side in zip(*shapes, strict=True):
        shape = side[0] if len(set(side)) == 1 else None
        at = None if shape is None else observed.infer_channel_axis(name, shape)
        layouts.append(None if shape is None or at is None else layout_of(name, shape, at))
    return ProbedModule(shapes, *layouts)
