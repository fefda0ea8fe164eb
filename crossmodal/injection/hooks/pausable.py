"""Hooks that can be taken off for a while and come back to their own place among those of others."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle


class PausableHook:
    """A hook of a module that keeps its place among those of others.

    While it is paused the module carries no trace of it, as some of torch's fast paths ask for. Hooks that others
    register or remove meanwhile end up where they would be had it never been away.
    """

    def __init__(self, handle: RemovableHandle):
        """Takes a hook that was just registered.

        Args:
            handle: The handle that its registration returned.
        """
        self.handle = handle
        self.hook: Callable[..., Any] | None = None
        self.before: tuple[int, ...] = ()
        self.after: tuple[int, ...] = ()

    def pause(self) -> None:
        """Takes the hook off and remembers its place."""
        hooks = self.handle.hooks_dict_ref()
        if self.hook is not None or hooks is None or self.handle.id not in hooks:
            return
        order = list(hooks)
        at = order.index(self.handle.id)
        self.before, self.after = tuple(order[:at]), tuple(order[at + 1 :])
        self.hook = hooks.pop(self.handle.id)

    def resume(self) -> None:
        """Puts the hook back in its place."""
        hooks = self.handle.hooks_dict_ref()
        if self.hook is None or hooks is None:
            return
        followers = list(hooks)[_place(list(hooks), self.before, self.after) :]
        hooks[self.handle.id], self.hook = self.hook, None
        for key in followers:
            hooks.move_to_end(key)

    def remove(self) -> None:
        """Takes the hook off for good."""
        self.resume()
        self.handle.remove()


def on_input(module: nn.Module, hook: Callable[..., Any]) -> PausableHook:
    """Registers a hook before the forward, in front of those that are there; it is given keyword arguments, too."""
    return PausableHook(module.register_forward_pre_hook(hook, with_kwargs=True, prepend=True))


def on_output(module: nn.Module, hook: Callable[..., Any]) -> PausableHook:
    """Registers a hook after the forward, in front of those that are there; it is given keyword arguments, too.

    So every hook of others sees what the next module reads, whether it was registered earlier or later.
    """
    return PausableHook(module.register_forward_hook(hook, with_kwargs=True, prepend=True))


def _place(order: list[int], before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Returns the position of a hook among others: behind those before it, in front of those after it.

    Of hooks that came meanwhile the appended have growing numbers and lie last, the prepended falling ones and first.
    """
    behind = [at for at, key in enumerate(order) if key in before]
    ahead = [at for at, key in enumerate(order) if key in after]
    if behind:
        return behind[-1] + 1
    if ahead:
        return ahead[0]
    return next((at for at, pair in enumerate(pairwise(order)) if pair[0] < pair[1]), 0)
