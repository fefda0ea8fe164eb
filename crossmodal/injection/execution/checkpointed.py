"""Activation checkpointing of a lockstep, step by step, from outside: memory for time, the same gradients."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .mode import ExecutionMode, L, Modules, Run, T, called_with_tensors, with_mode


@dataclass(frozen=True)
class Checkpointing(ExecutionMode):
    """Keeps the streams between steps alone, and runs each step once more for the backward.

    The second run draws the same random numbers, and what it writes into buffers (the statistics of batch norm) is
    thrown away.
    """

    whole_steps: ClassVar[bool] = True

    def step(self, run: Run[T], modules: Modules) -> Run[T]:
        """Returns a step that is checkpointed where gradients are on."""

        def checkpointed_step(streams: Mapping[str, Tensor]) -> T:
            # without a backward, a checkpoint would only save and restore random states
            if not torch.is_grad_enabled():
                return run(streams)
            # the reentrant form gives no gradients where no input asks for one: streams of frozen encoders do not
            call: Any = partial(checkpoint, called_with_tensors(run, streams), use_reentrant=False)
            if torch.compiler.is_compiling():  # the compiler writes buffers once by itself
                return call(*streams.values())
            return call(*streams.values(), context_fn=partial(_contexts, list(modules())))

        return checkpointed_step


def checkpointed(lockstep: L) -> L:
    """Returns `lockstep` with activation checkpointing at every step; both hold the very same modules and hooks.

    A step costs its forward once more, and what is saved for the backward are the streams between the steps. In side
    mode, where nothing of the encoders is kept, the couplers are checkpointed. With `recomputed` besides, in either
    order, it is as without: a step that runs again keeps no product of its coupler.
    """
    return with_mode(lockstep, Checkpointing())


def _contexts(modules: list[nn.Module]) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    return nullcontext(), RestoredBuffers(modules)


class RestoredBuffers:
    """Context in which buffers are what they were when it was made; what is written into them there is lost."""

    def __init__(self, modules: Iterable[nn.Module]):
        """Copies the buffers.

        Args:
            modules: Those in training mode may write buffers; each module's own are looked at, not its children's.
        """
        # in evaluation mode nothing writes into buffers
        training = [module for module in modules if module.training]
        found = [(module, name, b) for module in training for name, b in module.named_buffers(recurse=False)]
        self.before = [(module, name, buffer.clone()) for module, name, buffer in found]
        self.now: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        self.now = [(module, name, module.get_buffer(name)) for module, name, _ in self.before]
        for module, name, buffer in self.before:
            # a copy of the copy: with retain_graph the context is entered once for every backward
            setattr(module, name, buffer.clone())

    def __exit__(self, *_: object) -> None:
        for module, name, buffer in self.now:
            setattr(module, name, buffer)
