"""A trial: a block that can be built again, and the inputs that it is called with."""

import copy
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

BlockCall = Callable[[nn.Module, Mapping[str, Tensor]], Any]


def positional(block: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
    """Calls a block with its inputs in order."""
    return block(*inputs.values())


@dataclass(frozen=True)
class Trial:
    """Holds what a law is checked on. `Trial.of(block, stream=stream, cue=cue)` makes one of a block that exists.

    Attributes:
        build: Builds the block, every time with other random weights.
        inputs: Inputs by the names of its arguments; frames come first.
        call: Calls the block; returns tensors, alone or in tuples and dictionaries.
        other: Builds the block at another size, where that can be done.
        wider: Builds the same trial so many times as wide, where that can be done.
    """

    build: Callable[[], nn.Module]
    inputs: Mapping[str, Tensor]
    call: BlockCall = positional
    other: Callable[[], nn.Module] | None = None
    wider: Callable[[int], "Trial"] | None = None

    @classmethod
    def of(cls, block: nn.Module, **inputs: Tensor) -> Self:
        """Builds a trial of copies of one block."""
        return cls(lambda: copy.deepcopy(block), inputs)

    def exact(self) -> Self:
        """Returns the same trial in float64, where rounding hides nothing."""
        build = self.build
        inputs = {
            name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in self.inputs.items()
        }
        return replace(self, build=lambda: cast(build(), torch.float64), inputs=inputs)

    def woken(self) -> nn.Module:
        """Builds the block as training might leave it: in evaluation mode, no parameter at zero throughout."""
        block = self.build()
        wake(block)
        with torch.no_grad():
            self.run(block.train())  # so that BatchNorm has seen a batch
        return block.eval()

    def another(self) -> nn.Module | None:
        """Builds the block at another size, where the factory has one."""
        try:
            return None if self.other is None else self.other()
        except (ValueError, KeyError):  # outside the widths that it takes
            return None

    def longer(self, frames: int) -> Self:
        """Returns the same trial with at least so many frames: those it has, again and again, each with noise."""
        inputs = {}
        for name, tensor in self.inputs.items():
            again = tensor[torch.arange(frames) % len(tensor)]
            inputs[name] = again + 0.5 * again.std() * torch.randn_like(again) if again.is_floating_point() else again
        return replace(self, inputs=inputs)

    def widened(self, times: int) -> "Trial":
        """Returns the same trial so many times as wide, where the factory takes those widths."""
        try:
            return self if self.wider is None else self.wider(times)
        except Exception:  # bounds of widths are the factory's, in its own words
            return self

    def run(self, block: nn.Module, **changed: Tensor) -> dict[str, Tensor]:
        """Returns all tensors that the block returns, by name; `changed` inputs replace those of the trial."""
        return dict(named_tensors(self.call(block, {**self.inputs, **changed})))


def named_tensors(result: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors of a result by name, such as `residual`, `maps['spatial']`, or `output` for a single one."""
    if isinstance(result, Tensor):
        yield name or "output", result
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from named_tensors(value, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(result, tuple):
        for field, value in zip(getattr(result, "_fields", range(len(result))), result, strict=True):
            yield from named_tensors(value, f"{name}.{field}" if name else str(field))


def wake(block: nn.Module) -> None:
    """Moves every parameter that is zero throughout: gates, biases, norms that start at zero."""
    with torch.no_grad():
        for parameter in block.parameters():
            if not parameter.any():
                parameter.uniform_(0.5, 1.0)


def cast(block: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Casts the real weights and buffers of a block in place; complex ones go along to the widest dtype only."""

    def converted(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(torch.complex128) if dtype == torch.float64 else tensor
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return block._apply(converted)


def segments_of(block: nn.Module) -> int:
    """Counts the frames that a clip-wise block mixes: the least common multiple of all `segments` in it."""
    found = (getattr(module, "segments", 1) for module in block.modules())
    # whole clips for every block inside, whatever lengths they were built for
    return math.lcm(*(count for count in found if isinstance(count, int)))


def differentiated(
    trial: Trial, block: nn.Module, call: BlockCall | None = None, *, asked: Collection[str] | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Computes outputs of a block, and gradients of a fixed blend of them into its inputs and parameters, by name.

    Args:
        trial: The inputs.
        block: The block.
        call: Calls the block; by default as the trial does.
        asked: Names of the inputs that need a gradient; by default all of real numbers.

    Returns:
        Outputs and gradients; zeros stand for a missing gradient.
    """
    inputs = {
        name: tensor.detach().clone().requires_grad_(tensor.is_floating_point() and (asked is None or name in asked))
        for name, tensor in trial.inputs.items()
    }
    outputs = dict(named_tensors((call or trial.call)(block, inputs)))
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
    """Sums all entries of `value` with weights of their own, so that every entry moves the sum in its own way."""
    # cos of whole numbers never repeats, so that errors in several entries do not cancel.
    places = torch.arange(1, value.numel() + 1, dtype=value.dtype, device=value.device)
    return (value * places.cos().view(value.shape)).sum()


def shapes(block: nn.Module) -> list[tuple[int, ...]]:
    """Returns the shapes of everything in the state_dict."""
    return [tuple(tensor.shape) for tensor in block.state_dict().values()]
