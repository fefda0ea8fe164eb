"""Dropout by name: a part of a system draws the same random numbers in a step whatever the other parts draw."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from crossmodal.injection.observing.find_adapters import find_adapters
from crossmodal.named_draws import default_generators, seed_of


class OwnDraws(pl.Callback):
    """Gives every part of a system and every adapter draws of its own in training, by its name.

    A part consumes one number of torch's generator in every call, an adapter within it none. So an adapter that draws,
    or is gone, moves no dropout mask of what runs beside or behind it. What is computed again for the backward draws
    alike: seeds follow from the state that torch's checkpointing restores, not from a count of calls.
    """

    def __init__(self) -> None:
        """Starts without hooks."""
        self.handles: list[RemovableHandle] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hooks the parts; called by Lightning."""
        self.attach(pl_module.get_submodule("system"))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Takes the hooks away; called by Lightning, after an error, too."""
        self.detach()

    def attach(self, system: nn.Module) -> None:
        """Hooks the children of a system, and its adapters."""
        self.detach()
        children, adapters = dict(_parts(system)), find_adapters(system)
        places = Counter(id(module) for _, module in system.named_modules(remove_duplicate=False))
        for name, part in {**adapters, **children}.items():
            # an adapter that stands in several places is called several times, and must not draw alike in all of them
            own = _OwnDraws(name, consumes=name in children or places[id(part)] > 1)
            self.handles.append(part.register_forward_pre_hook(own.begin))
            self.handles.append(part.register_forward_hook(own.end, always_call=True))

    def detach(self) -> None:
        """Takes the hooks away."""
        for handle in self.handles:
            handle.remove()
        self.handles = []


def _parts(system: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yields the children of a system by name; of containers, which nobody calls, what they contain."""
    for name, child in system.named_children():
        if isinstance(child, nn.ModuleDict | nn.ModuleList):
            yield from ((f"{name}.{inner}", part) for inner, part in child.named_children())
        else:
            yield name, child


class _OwnDraws:
    """Draws of one part: seeds torch's generators when it begins, and puts them back when it ends."""

    def __init__(self, name: str, *, consumes: bool):
        self.name, self.consumes = name, consumes
        self.outside: list[list[tuple[torch.Generator, Tensor]]] = []

    def begin(self, part: nn.Module, inputs: Any) -> None:
        """Seeds the generators by a number drawn from them and the name; in evaluation they are left alone."""
        if torch.compiler.is_compiling():
            return
        generators = default_generators() if part.training else []
        before = [(generator, generator.get_state()) for generator in generators]
        number = int(torch.randint(2**62, (), device="cpu")) if generators else 0
        after = [(generator, generator.get_state()) for generator in generators]
        self.outside.append(after if self.consumes else before)
        for generator in generators:
            generator.manual_seed(seed_of(number, self.name, 0))

    def end(self, part: nn.Module, inputs: Any, outputs: Any) -> None:
        """Puts the generators back."""
        if torch.compiler.is_compiling():
            return
        for generator, state in self.outside.pop():
            generator.set_state(state)
