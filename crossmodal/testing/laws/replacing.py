"""The law of replaced layers: a block calls the layers inside it, so that another one, or a hook, has effect."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ..law import expect, expect_close, law
from ..trial import Trial
from .encoders import EncoderTrial, inner_trials

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LIBRARIES = ("torch", "torchvision", "timm", "transformers")
"""Packages whose modules count as one layer: what they do with the layers inside them is their own affair."""

FACTOR = 1.25


@law(13, "replaced layers are heard", examples=2)
def replaced_layers_are_heard(trial: Trial) -> None:
    """A replaced, wrapped or hooked layer is called, and the block computes what it does when all layers are called."""
    for prefix, inside in inner_trials(trial.exact()):
        block = inside.build()
        for name in layers(block):
            check_layer_heard(inside, block, name, prefix + name)
        if not isinstance(trial, EncoderTrial):  # whose sections are frozen, and never in training mode
            check_called_in_training(inside, block)


def check_called_in_training(trial: Trial, block: nn.Module) -> None:
    """Raises `Violation` where no call in training mode, of a few, calls a layer."""
    twin = copy.deepcopy(block).train()
    missing = {*layers(twin)}
    for name in tuple(missing):
        twin.get_submodule(name).register_forward_hook(lambda *_, name=name: missing.discard(name))
    with torch.no_grad():
        for _ in range(4):  # a layer may be skipped at random
            trial.run(twin)
    expect(
        not missing, f"layers {sorted(missing)} in training mode: expected a call, found none: the block passes it by"
    )


def check_layer_heard(trial: Trial, block: nn.Module, name: str, path: str) -> None:
    """Raises `Violation` where one changed layer of a block is passed by, or changes something else.

    Args:
        trial: The inputs.
        block: Stays as it is.
        name: Path of the layer in the block.
        path: The same for messages.
    """
    expected, calls = outputs(trial, block, name, hooked, called=True)
    expect(calls > 0, f"layer {path!r}: its forward never runs, so that no other in its place would be used")
    changes: dict[str, Change] = {"hooked": hooked, "replaced by a subclass": subclassed}
    if not list(block.get_submodule(name).children()):  # what holds layers has names that the block asks for
        changes["wrapped"] = wrapped
    for how, change in changes.items():
        found, calls = outputs(trial, block, name, change)
        expect(calls > 0, f"layer {path!r} {how}: expected a call, found none: the block passes it by")
        for output, value in expected.items():
            expect_close(f"{output} with {path!r} {how}", found[output], value, tolerance=1e-9)


def outputs(
    trial: Trial, block: nn.Module, name: str, change: "Change", *, called: bool = False
) -> tuple[dict[str, Tensor], int]:
    """Returns outputs of a copy in which one layer is changed, and how often that was called.

    Args:
        trial: The inputs.
        block: Stays as it is.
        name: Path of the layer.
        change: What is done to it; its results are scaled.
        called: Hooks all layers, so that none is passed by.
    """
    twin, calls = copy.deepcopy(block), [0]
    for layer in twin.modules() if called else ():
        if layer is not twin:
            # hooked layers are called, never evaluated through their weights: the slow way is the reference
            layer.register_forward_hook(lambda *_: None)

    def scaled(result: Any) -> Any:
        calls[0] += 1
        return tree_map(lambda leaf: FACTOR * leaf if is_floating(leaf) else leaf, result)

    change(twin, name, scaled)
    with torch.no_grad():
        return trial.run(twin), calls[0]


Change = Callable[[nn.Module, str, Callable[[Any], Any]], None]
"""`change(block, name, scaled)`: lets the layer of that name return `scaled(what it returned)`."""


def hooked(block: nn.Module, name: str, scaled: Callable[[Any], Any]) -> None:
    """Registers a forward hook."""
    block.get_submodule(name).register_forward_hook(lambda layer, given, result: scaled(result))


def subclassed(block: nn.Module, name: str, scaled: Callable[[Any], Any]) -> None:
    """Makes the layer one of a subclass with another forward."""
    layer = block.get_submodule(name)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return scaled(kind.forward(self, *args, **kwargs))

    kind = type(layer)
    layer.__class__ = type(f"Scaled{kind.__name__}", (kind,), {"forward": forward})


def wrapped(block: nn.Module, name: str, scaled: Callable[[Any], Any]) -> None:
    """Puts the layer into a wrapper."""
    parent, _, child = name.rpartition(".")
    setattr(block.get_submodule(parent), child, Wrapper(block.get_submodule(name), scaled))


class Wrapper(nn.Module):
    """Calls a layer and scales what it returns; shows its attributes, as a LoRA layer shows `weight` and sizes."""

    def __init__(self, layer: nn.Module, scaled: Callable[[Any], Any]):
        """Wraps `layer`."""
        super().__init__()
        self.layer, self.scaled = layer, scaled

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the scaled result of the layer."""
        return self.scaled(self.layer(*args, **kwargs))


def layers(block: nn.Module, prefix: str = "") -> Iterator[str]:
    """Yields the paths of all modules inside a block that have a forward; modules of libraries are not entered."""
    for name, child in block.named_children():
        container = type(child) in CONTAINERS
        if not isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield prefix + name
        if container or type(child).__module__.split(".")[0] not in LIBRARIES:
            yield from layers(child, f"{prefix}{name}.")


def is_floating(leaf: Any) -> bool:
    """Returns whether `leaf` is a tensor of real numbers."""
    return isinstance(leaf, Tensor) and leaf.is_floating_point()
