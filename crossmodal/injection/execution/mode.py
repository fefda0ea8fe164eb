"""Execution modes: how a lockstep runs its pieces, set from outside as a property of the lockstep."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..lockstep import Lockstep

T = TypeVar("T")
L = TypeVar("L", bound="Lockstep")
Run = Callable[[Mapping[str, Tensor]], T]
"""Runs a piece of a lockstep: from streams by name to a NamedTuple of tensors."""

Modules = Callable[[], Iterable[nn.Module]]
"""Returns the modules that a piece runs."""


class ExecutionMode:
    """Wraps the pieces of a lockstep. This base class runs them as they are.

    A mode wraps one kind of piece, steps or couplers, so the order in which modes are applied does not matter. A mode
    changes what is kept for the backward and what is computed again, never the outputs or gradients.

    Attributes:
        whole_steps: True for a mode that runs whole steps again, couplers included.
    """

    whole_steps: ClassVar[bool] = False

    def step(self, run: Run[T], modules: Modules) -> Run[T]:
        """Returns the function that runs a step in place of `run`; in side mode, the coupler of the step."""
        return run

    def coupler(self, run: Run[T], modules: Modules) -> Run[T]:
        """Returns the function that runs a coupler in place of `run`."""
        return run


def step_in_modes(run: Run[T], modes: Iterable[ExecutionMode], modules: Modules) -> Run[T]:
    """Returns the function that runs a step in these modes."""
    for mode in modes:
        run = mode.step(run, modules)
    return run


def call_in_modes(coupler: nn.Module, streams: Mapping[str, Tensor], modes: Iterable[ExecutionMode]) -> Any:
    """Calls a coupler in these modes; its hooks run once, outside of them.

    Within steps that run again as a whole, the coupler runs as it is: what a mode of couplers keeps would outlive the
    step there, since torch holds it beside the graph. Under `torch.compile` the compiler decides what is kept.
    """
    modes = tuple(modes)
    if torch.compiler.is_compiling() or any(mode.whole_steps for mode in modes) or not modes:
        return coupler(streams)
    run: Run[Any] = coupler.forward
    for mode in modes:
        run = mode.coupler(run, coupler.modules)
    # a forward that a user has put on the instance is what `run` calls, and is put back below
    own = vars(coupler).get("forward")
    vars(coupler)["forward"] = run  # for this call alone: the module's own call runs the hooks around it
    try:
        return coupler(streams)
    finally:
        vars(coupler).pop("forward")
        if own is not None:
            vars(coupler)["forward"] = own


def with_mode(lockstep: L, mode: ExecutionMode) -> L:
    """Returns `lockstep` in one more mode, which replaces an earlier one of its class; `lockstep` stays as it is."""
    made = same_modules(lockstep)
    made.execution = (*(other for other in lockstep.execution if type(other) is not type(mode)), mode)
    return made


def same_modules(lockstep: L) -> L:
    """Returns a second lockstep of the same class, with the very same modules, hooks and attributes."""
    made = copy.copy(lockstep)
    for name, value in vars(lockstep).items():
        if isinstance(value, dict):  # of modules, hooks, streams: what is added to one must not appear in the other
            vars(made)[name] = value.copy()
    return made


def called_with_tensors(run: Run[T], names: Iterable[str]) -> Callable[..., T]:
    """Returns `run` as a function of tensors, one a name: `checkpoint` looks for tensors among its arguments."""
    names = tuple(names)

    def with_tensors(*tensors: Tensor) -> T:
        return run(dict(zip(names, tensors, strict=True)))

    return with_tensors
