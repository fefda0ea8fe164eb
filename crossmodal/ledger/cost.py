"""Counts the cost of a training step on the meta device: no weight is needed, and none is touched."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.adapters import adapter_state
from ..injection import Encoder, Lockstep
from .nested import shadow, without_data
from .profiler import Profiler
from .table import Cost, ModuleCost


def cost(model: nn.Module, *inputs: Any, loss: Callable[[Any], Tensor] | None = None, **named_inputs: Any) -> Cost:
    """Counts one training step of `model` on inputs like these, part by part.

    The model may be on the meta device or hold weights: a copy without data runs, in training mode (what is frozen
    stays in evaluation mode). Attention counts as the CPU's fused kernel. Saved bytes are the storages that autograd
    keeps from the forward, each counted once and whole, without parameters, buffers and inputs.

    Args:
        model: The model; it is not touched.
        *inputs: Inputs of the model; of tensors shape, dtype and layout matter.
        loss: Turns outputs into what the backward starts from; by default it starts from every output that takes a
            gradient.
        **named_inputs: Inputs of the model, by name.

    Raises:
        ValueError: If the model cannot run without data, because it looks at values.
    """
    shadowed = shadow(model)
    encoders = _encoders_of(shadowed)
    given: list[tuple[str, Tensor]] = []
    for path, encoder in encoders.items():
        encoder.stem.register_forward_pre_hook(lambda _, args, path=path: given.append((path, args[0])))
    try:
        shares = Profiler(shadowed).run(*without_data(inputs), loss=loss, **without_data(named_inputs))
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error):
            raise
        raise ValueError(
            f"cost: {type(model).__name__} cannot run on tensors without data: {error} Count the part of it that does "
            f"not look at values, or give a loss= that does not."
        ) from error
    file = sum(tensor.numel() * tensor.element_size() for tensor in adapter_state(model).values())
    return Cost(shares, file, _floor(model, given) if given else None)


def _encoders_of(model: nn.Module) -> dict[str, Encoder]:
    """Returns the encoders of every lockstep in `model`, by path."""
    locksteps = [module for module in model.modules() if isinstance(module, Lockstep)]
    coupled = {lockstep.encoder(name) for lockstep in locksteps for name in lockstep.streams}
    return {path: module for path, module in model.named_modules() if isinstance(module, Encoder) and module in coupled}


def _floor(model: nn.Module, given: list[tuple[str, Tensor]]) -> ModuleCost:
    """Counts each encoder on what its stem was given: forwards, and backwards to the stream that the stem gives."""
    total = ModuleCost()
    for path, inputs in given:
        encoder = model.get_submodule(path)
        if isinstance(encoder, Encoder):
            shares = Profiler(_Sections(shadow(encoder).requires_grad_(False))).run(torch.empty_like(inputs))
            total = sum(shares.values(), total)
    return total


class _Sections(nn.Module):
    """Runs stem and sections of an encoder; the gradient ends where the stem does."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Tensor) -> Tensor:
        stream: Tensor = self.encoder.stem(inputs).detach().requires_grad_()
        for section in self.encoder.sections.values():
            stream = section(stream)
        return stream
