"""The laws of learning: what is trainable learns, what is frozen does not."""

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from ...injection import fingerprint, freeze
from ..law import NotApplicable, expect, law
from ..trial import Trial, blended, differentiated, named_tensors, wake

TRIES = 16
NONE = 1e-6
"""A gradient smaller than this share of its neighbours' is none."""


@law(7, "every parameter learns", examples=4)
def every_parameter_learns(trial: Trial) -> None:
    """Once every zero-initialised scale has moved, every trainable parameter gets a gradient like its neighbours'."""
    learn(trial, lambda block: block)


@law(7, "frozen means frozen", examples=1)
def frozen_means_frozen(trial: Trial) -> None:
    """Frozen, a block keeps its fingerprint through a step in training mode, and gets no gradient."""
    block = freeze(trial.build())
    before = fingerprint(block)
    training_step(trial, block)
    still(block, before)


def learn(trial: Trial, part: Callable[[nn.Module], nn.Module]) -> None:
    """Raises `Violation` where no draw of the weights lets a gradient reach every trainable parameter of a part.

    A gradient below `NONE` times the median of all those of the part is none: what is left where a norm divides out
    what a parameter multiplies.
    """
    trainable = {name for name, parameter in trial.build().named_parameters() if parameter.requires_grad}
    if not trainable:
        raise NotApplicable("it has no trainable parameters")
    deaf = set(trainable)
    for attempt in range(TRIES):
        # A ReLU may hide a parameter from one draw of weights and inputs; no draw of many may miss it.
        block = trial.build().train(attempt % 2 == 0)  # dropout and BatchNorm hide others in one of the modes
        wake(block)
        of_part = {id(parameter) for parameter in part(block).parameters()}
        names = {name for name, parameter in block.named_parameters() if id(parameter) in of_part}
        _, gradients = differentiated(jittered(trial) if attempt else trial, block)
        sizes = {name: float(gradients[name].abs().max()) for name in names if name in gradients}
        least = NONE * statistics.median([size for size in sizes.values() if size] or [0.0])
        deaf = {name for name in deaf & names if sizes[name] <= least}
        if not deaf:
            return
    expect(False, f"in {TRIES} draws no gradient above {NONE:g} of its neighbours' reached {', '.join(sorted(deaf))}")


def jittered(trial: Trial) -> Trial:
    """Adds noise to the inputs of a trial, of their own standard deviation."""
    inputs = {name: tensor + torch.randn_like(tensor) * tensor.std() for name, tensor in trial.inputs.items()}
    return replace(trial, inputs=inputs)


def training_step(trial: Trial, block: nn.Module) -> None:
    """Runs one step of gradient descent in training mode, on inputs that require gradients themselves."""
    block.train()  # where dropout and BatchNorm would move what is not frozen
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    inputs = {name: tensor.clone().requires_grad_() for name, tensor in trial.inputs.items()}
    outputs = [value for _, value in named_tensors(trial.call(block, inputs)) if value.requires_grad]
    torch.autograd.backward([blended(value) for value in outputs])
    optimizer.step()


def still(frozen: nn.Module, before: str) -> None:
    """Raises `Violation` where a frozen block got a gradient or is not what its fingerprint says."""
    heard = [name for name, parameter in frozen.named_parameters() if parameter.grad is not None]
    expect(not heard, f"frozen, it got gradients into {', '.join(heard[:3])}")
    after = fingerprint(frozen)
    expect(after == before, f"frozen, its fingerprint was {before[:12]}… and is {after[:12]}… after a training step")
