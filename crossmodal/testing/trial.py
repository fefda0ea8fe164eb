"""A trial: a block that can be built again, and what it is called with."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

Call = Callable[[nn.Module, Mapping[str, Tensor]], Any]


def positional(block: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
    """Calls a block with its inputs in order."""
    return block(*inputs.values())


@dataclass(frozen=True)
class Trial:
    """What a law looks at. `Trial.of(block, stream=stream, cue=cue)` makes one of a block that exists.

    - `build`: makes the block, every time with other random weights.
    - `inputs`: what it is called with, by the names of its arguments; frames come first.
    - `call`: how it is called; returns tensors, alone or in tuples and dictionaries.
    - `other`: makes the block at another size, where that can be done.
    """

    build: Callable[[], nn.Module]
    inputs: Mapping[str, Tensor]
    call: Call = positional
    other: Callable[[], nn.Module] | None = None

    @classmethod
    def of(cls, block: nn.Module, **inputs: Tensor) -> Self:
        """A trial of one block, which is copied and never touched."""
        return cls(lambda: copy.deepcopy(block), inputs)

    def exact(self) -> Self:
        """The same in float64, where rounding hides nothing."""
        build = self.build
        inputs = {
            name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in self.inputs.items()
        }
        return replace(self, build=lambda: build().double(), inputs=inputs)

    def woken(self) -> nn.Module:
        """The block as training might leave it: in evaluation mode, with nothing at zero that started there."""
        block = self.build()
        wake(block)
        with torch.no_grad():
            self.run(block.train())
        return block.eval()

    def run(self, block: nn.Module, **changed: Tensor) -> dict[str, Tensor]:
        """All tensors that the block returns, by name; `changed` inputs take the place of the trial's own."""
        return dict(named(self.call(block, {**self.inputs, **changed})))


def named(result: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in what a block returned, as `residual`, `maps['spatial']`, or `output` where there is one alone."""
    if isinstance(result, Tensor):
        yield name or "output", result
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from named(value, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(result, tuple):
        for field, value in zip(getattr(result, "_fields", range(len(result))), result, strict=True):
            yield from named(value, f"{name}.{field}" if name else str(field))


def wake(block: nn.Module) -> None:
    """Moves every parameter that is zero throughout: gates, biases, norms that start silent."""
    with torch.no_grad():
        for parameter in block.parameters():
            if not parameter.any():
                parameter.uniform_(0.5, 1.0)


def segments_of(block: nn.Module) -> int:
    """Frames that a clip-wise block mixes: the least common multiple of all `segments` that its modules name."""
    found = (getattr(module, "segments", 1) for module in block.modules())
    return math.lcm(*(count for count in found if isinstance(count, int)))


def differentiated(
    trial: Trial, block: nn.Module, call: Call | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs of a block, and the gradients of a fixed blend of them into its inputs and parameters, by name.

    What gets no gradient is given zeros.
    """
    inputs = {
        name: tensor.detach().clone().requires_grad_() if tensor.is_floating_point() else tensor
        for name, tensor in trial.inputs.items()
    }
    outputs = dict(named((call or trial.call)(block, inputs)))
    learned = {name: parameter for name, parameter in block.named_parameters() if parameter.requires_grad}
    leaves = {**{name: tensor for name, tensor in inputs.items() if tensor.requires_grad}, **learned}
    blend = sum((blended(value) for value in outputs.values() if value.requires_grad), torch.zeros(()))
    if not blend.requires_grad:
        return outputs, {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    gradients = torch.autograd.grad(blend, list(leaves.values()), allow_unused=True)
    return outputs, {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True)
    }


def blended(value: Tensor) -> Tensor:
    """A number that every entry of `value` moves, none as its neighbour does."""
    places = torch.arange(1, value.numel() + 1, dtype=value.dtype, device=value.device)
    return (value * places.cos().view(value.shape)).sum()


def shapes(block: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of everything in the state_dict."""
    return [tuple(tensor.shape) for tensor in block.state_dict().values()]
