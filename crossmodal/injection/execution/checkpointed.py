"""Activation checkpointing of a lockstep, step by step, from outside: memory for time, the same gradients."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..coupler import Coupler
from ..encoder import Encoder
from ..lockstep import Advanced, Lockstep
from ..step import Step
from .side import SideLockstep


class CheckpointedLockstep(Lockstep):
    """A lockstep that keeps the streams between its steps alone, and runs each step once more for the backward.

    Outputs, gradients, parameters and the keys of `state_dict` are those of the plain one. The second run draws the
    same random numbers, and what it writes into buffers (the statistics of batch norm) is thrown away.
    """

    def advance(self, number: int, streams: Mapping[str, Tensor], taps: Collection[str]) -> Advanced:
        """One step, checkpointed; without gradients, as the plain one."""
        if not torch.is_grad_enabled():
            return super().advance(number, streams, taps)
        names = tuple(streams)

        def run(*tensors: Tensor) -> Advanced:
            return Lockstep.advance(self, number, dict(zip(names, tensors, strict=True)), taps)

        if torch.compiler.is_compiling():  # buffers are written once there, by the compiler's own doing
            return checkpoint(run, *streams.values(), use_reentrant=False)
        context = partial(_contexts, list(self._running(self.steps[number])))
        return checkpoint(run, *streams.values(), use_reentrant=False, context_fn=context)

    def _running(self, step: Step) -> Iterator[nn.Module]:
        """Every module that a step runs."""
        for name, sections in step.sections.items():
            yield from chain.from_iterable(self.encoder(name).section(section).modules() for section in sections)
        if step.coupler:
            yield from self.couplers[step.coupler].modules()


def checkpointed(lockstep: Lockstep) -> CheckpointedLockstep:
    """`lockstep` with activation checkpointing at every step; both hold the very same modules.

    A step costs its forward once more, and what is saved for the backward are the streams between the steps. Raises
    `ValueError` for side mode, which keeps nothing of the encoders.
    """
    if isinstance(lockstep, SideLockstep):
        raise ValueError("checkpointed: a lockstep in side mode keeps nothing of its encoders: use it as it is.")
    encoders = {name: module for name, module in lockstep.encoders.items() if isinstance(module, Encoder)}
    couplers = {name: module for name, module in lockstep.couplers.items() if isinstance(module, Coupler)}
    made = CheckpointedLockstep(encoders, steps=lockstep.steps, couplers=couplers, streams=lockstep.streams)
    return made.train(lockstep.training)


def _contexts(modules: list[nn.Module]) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    return nullcontext(), BuffersAsBefore(modules)


class BuffersAsBefore:
    """While it is entered, buffers are what they were when it was made; what is written into them is lost."""

    def __init__(self, modules: Iterable[nn.Module]):
        training = [module for module in modules if module.training]
        found = [(module, name, b) for module in training for name, b in module.named_buffers(recurse=False)]
        self.before = [(module, name, buffer.clone()) for module, name, buffer in found]
        self.now: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        self.now = [(module, name, module.get_buffer(name)) for module, name, _ in self.before]
        for module, name, buffer in self.before:
            setattr(module, name, buffer.clone())

    def __exit__(self, *_: object) -> None:
        for module, name, buffer in self.now:
            setattr(module, name, buffer)
