"""Execution modes: how a lockstep runs its pieces, set from outside as a property of the lockstep."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

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


def coupler_in_modes(run: Run[T], modes: Iterable[ExecutionMode], modules: Modules) -> Run[T]:
    """Returns the function that runs a coupler in these modes; within steps that run again as a whole, `run` itself.

    What a mode of couplers keeps would outlive the step there: torch holds it beside the graph.
    """
    modes = tuple(modes)
    for mode in () if any(mode.whole_steps for mode in modes) else modes:
        run = mode.coupler(run, modules)
    return run


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
