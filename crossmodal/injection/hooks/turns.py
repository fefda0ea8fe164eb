"""Two models that run by turns: each in a greenlet of its own, stopped where they meet."""

import contextvars
import importlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from .probe import read_tensor, rewritten, written_tensor
from .tensor_layout import TensorLayout


def greenlets() -> Any:
    """The module `greenlet`; `ImportError` with the install command where it is missing."""
    try:
        return importlib.import_module("greenlet")
    except ImportError as missing:
        raise ImportError(
            f'coupled needs the package greenlet ({missing}): pip install "crossmodal-blocks[hooks]".'
        ) from missing


class Turn:
    """One model in one forward: runs until it arrives at its next place, and waits there.

    - `name`: of its stream, for messages.
    - `places`: dotted name of a module → the ports at both sides of it, in the order in which they are to be reached.
    - `call`: runs the model.

    `with Turn(...)` puts hooks on those modules, and takes them off again; what still waits then is unwound.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        places: Mapping[str, tuple[TensorLayout, TensorLayout]],
        call: Callable[[], Any],
    ):
        self.name, self.model, self.places = name, model, places
        self.arrived: list[str] = []
        self.stream: Tensor | None = None
        self.residual: Tensor | None = None
        self.output: Any = None
        self.gradients, self.inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        self.greenlet = greenlets().greenlet(call)
        self.greenlet.gr_context = contextvars.copy_context()

    def __enter__(self) -> "Turn":
        self.handles = []
        for place in self.places:
            module = self.model.get_submodule(place)
            self.handles += [
                module.register_forward_pre_hook(partial(self._arrive, place), with_kwargs=True),
                module.register_forward_hook(partial(self._leave, place), with_kwargs=True),
            ]
        return self

    def __exit__(self, *error: Any) -> None:
        self.greenlet.throw()  # unwinds the model where it waits; nothing where it has returned
        for handle in self.handles:
            handle.remove()

    def stream_at(self, place: str) -> Tensor:
        """Runs on until the model stands before `place`; the stream there. `RuntimeError` where it comes elsewhere."""
        self._go()
        if self.greenlet.dead:
            raise RuntimeError(
                f"coupled: {self.name} has returned and never came to {place!r}, where it was to meet the other model."
            )
        if self.arrived[-1] != place or self.stream is None:
            raise RuntimeError(
                f"coupled: {self.name} came to {self.arrived[-1]!r} where {place!r} was next: points are met once, in "
                "the order in which they are given."
            )
        return self.stream

    def returned(self) -> Any:
        """Runs on to the end; what the model returns. `RuntimeError` where it comes to a place again."""
        self._go()
        if not self.greenlet.dead:
            raise RuntimeError(
                f"coupled: {self.name} came to {self.arrived[-1]!r} after its last point: a point is met once."
            )
        return self.output

    def _go(self) -> None:
        outside = Mode()
        try:
            self.output = self.greenlet.switch()
        finally:
            outside.restore()

    def _arrive(self, place: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._check(place)
        self.arrived.append(place)
        self.stream, inside = self.places[place][0].stream(read_tensor(args, kwargs)), Mode()
        self.greenlet.parent.switch()
        inside.restore()

    def _leave(self, place: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        residual, self.residual = self.residual, None
        if residual is None:
            return output
        return rewritten(output, self.places[place][1].add(residual, written_tensor(output)))

    def _check(self, place: str) -> None:
        """`RuntimeError` for what would go wrong in silence."""
        if greenlets().getcurrent() is not self.greenlet:
            raise RuntimeError(f"coupled: {place!r} of {self.name} is called from outside of its turn.")
        if recomputing():
            raise RuntimeError(
                f"coupled: {place!r} of {self.name} is under activation checkpointing and would run again in the "
                "backward, alone; switch the model's own checkpointing off and checkpoint the coupled model as a whole."
            )
        if (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) != (self.gradients, self.inference):
            raise RuntimeError(
                f"coupled: {self.name} switches gradients {'off' if self.gradients else 'on'} around {place!r}: what "
                "is added there would not learn as in a Lockstep."
            )


class Mode:
    """Autocast as it is now: it belongs to the thread, which both models share."""

    def __init__(self) -> None:
        kinds = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        self.autocast = [(kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds]
        self.cached, self.gradients = torch.is_autocast_cache_enabled(), torch.is_grad_enabled()

    def restore(self) -> None:
        """Makes it so again."""
        for kind, enabled, dtype in self.autocast:
            torch.set_autocast_enabled(kind, enabled)
            torch.set_autocast_dtype(kind, dtype)
        torch.set_autocast_cache_enabled(self.cached)
        torch.set_grad_enabled(self.gradients)


def recomputing() -> bool:
    """Whether the caller runs inside `torch.utils.checkpoint`, as far up as this greenlet goes."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename != torch.utils.checkpoint.__file__:
        frame = frame.f_back
    return frame is not None
