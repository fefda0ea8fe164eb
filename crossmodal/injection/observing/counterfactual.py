"""Interventions: the same model on the same input, with and without some of its guides."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...adapters import Adapted
from ...shapes import shaped
from ..lockstep import Lockstep
from ..step import Edge
from .find_adapters import check_uncompiled, select_adapters

Replacement = Callable[[Tensor, Tensor], Tensor]
"""From stream and guide to what is read in the guide's place."""


class Counterfactual(NamedTuple):
    """A forward with all guides, and one without some of them.

    Attributes:
        guided: The model's output with all guides.
        unguided: Its output without some.
        change: Coupler → stream → `(frame, token, 1)`: distance of each token of the stream to where it would be
            without the guide, in lengths of the token without it: ‖with − without‖ / ‖without‖, after the coupler's
            step.
    """

    guided: Any
    unguided: Any
    change: dict[str, dict[str, Tensor]]


@contextmanager
def without_guide(
    model: nn.Module, at: str | Edge | None = None, *, instead: Replacement | None = None
) -> Iterator[tuple[str, ...]]:
    """Takes guides away at some adapters while the block runs; yields the names of these.

    A backward of a checkpointed model belongs inside the block too.

    Args:
        model: Any model with adapters.
        at: A glob over the names of adapters (`"couplers.stages2_*.audio_visual"`), an edge (`("audio", "visual")`:
            audio guides visual no more), or `None` for all.
        instead: By default the edge is missing: its adapter adds nothing, and its maps stay, for heads that pool by
            them. A function `(stream, guide)` replaces what the adapter reads instead: `lambda stream, guide: 0 *
            guide` is what the control `no_guide` trains with, and leaves what the adapter does by itself.

    Raises:
        ValueError: If `at` names nothing, or an adapter lies in what `torch.compile` has compiled.
    """
    found = select_adapters(model, at, "without_guide")
    check_uncompiled(model, found, "without_guide")
    handles = [_taken(module, instead) for module in found.values()]
    try:
        yield tuple(found)
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def counterfactual(
    model: nn.Module,
    *inputs: Any,
    without: str | Edge | None = None,
    instead: Replacement | None = None,
    **options: Any,
) -> Counterfactual:
    """Runs `model(*inputs, **options)` twice, with its guides and without those that `without` names.

    Where all gates are at zero nothing was guided, and every change is exactly zero.

    Args:
        model: In evaluation mode; a `Lockstep`, or any module with one in it.
        *inputs: Given to the model.
        without: As `at` of `without_guide`.
        instead: As in `without_guide`.
        **options: Given to the model.

    Raises:
        ValueError: If the model is in training mode, does not hold one lockstep, or as `without_guide` does.
    """
    if model.training:
        raise ValueError("counterfactual: the model is in training mode, where two forwards differ: call eval() first.")
    locksteps = [module for module in model.modules() if isinstance(module, Lockstep)]
    if len(locksteps) != 1:
        raise ValueError(
            f"counterfactual: this {type(model).__name__} holds {len(locksteps)} locksteps, expected one: run the "
            "model yourself, once inside without_guide(model)."
        )
    runs = []
    for muted in (False, True):
        with ExitStack() as stack:
            streams = stack.enter_context(_streams_after(locksteps[0]))
            if muted:
                stack.enter_context(without_guide(model, without, instead=instead))
            runs.append((model(*inputs, **options), streams))
    (guided, there), (unguided, here) = runs
    change = {
        coupler: {name: changed(stream, here[coupler][name]) for name, stream in after.items()}
        for coupler, after in there.items()
    }
    return Counterfactual(guided, unguided, change)


@shaped
def changed(
    stream: Float[Tensor, "frame token channel"], other: Float[Tensor, "frame token channel"]
) -> Float[Tensor, "frame token 1"]:
    """Computes the distance of every token to the other stream's, in lengths of that; zero where both are equal."""
    length = torch.linalg.vector_norm(other, dim=2, keepdim=True)
    apart = torch.linalg.vector_norm(stream - other, dim=2, keepdim=True)
    # the smallest number there is: 0 / tiny is 0 where both streams are zero
    return apart / length.clamp(min=torch.finfo(length.dtype).tiny)


def _taken(adapter: nn.Module, instead: Replacement | None) -> RemovableHandle:
    """Takes the guide of one adapter away, until the handle is removed."""
    if instead is None:
        return adapter.register_forward_hook(_silent, prepend=True)  # hooks of others see what is added
    return adapter.register_forward_pre_hook(partial(_read_instead, instead), prepend=True)


def _silent(adapter: nn.Module, given: Any, output: Any) -> Adapted:
    residual, maps = output
    return Adapted(torch.zeros_like(residual), maps)


def _read_instead(source: Replacement, adapter: nn.Module, given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    stream, guide = given
    return stream, source(stream, guide)


@contextmanager
def _streams_after(lockstep: Lockstep) -> Iterator[dict[str, dict[str, Tensor]]]:
    """Yields coupler → stream → what it is after the coupler's step, as the next forward leaves it in its taps."""
    found: dict[str, dict[str, Tensor]] = {}
    places = {
        step.coupler: {name: f"{name}.{site}" for name, site in ends.items()}
        for step, ends in zip(lockstep.steps, lockstep.ends, strict=True)
        if step.coupler is not None
    }
    wanted = {tap for of in places.values() for tap in of.values()}

    def ask(module: nn.Module, given: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return given, {**options, "taps": wanted | set(options.get("taps", ()))}

    def keep(module: nn.Module, given: Any, output: Any) -> None:
        found.update(
            {key: {name: output.taps[t] for name, t in of.items() if t in output.taps} for key, of in places.items()}
        )

    with ExitStack() as stack:
        stack.callback(lockstep.register_forward_pre_hook(ask, with_kwargs=True).remove)
        stack.callback(lockstep.register_forward_hook(keep).remove)
        yield found
