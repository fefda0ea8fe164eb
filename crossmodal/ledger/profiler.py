"""The profiler: charges what runs, forwards and backwards, to the module that asked for it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from ..plain import measuring
from .fused import FORMULAS, fused_attention
from .nested import tensors_in
from .table import ModuleCost

CHARGED = "crossmodal.ledger"
"""Key under which a node of the autograd graph keeps the path of the module that made it."""


class Profiler:
    """Runs a model once, forwards and backwards, and counts the cost of every module.

    Operations are charged to the innermost module that is running; those of the backward to the module in whose forward
    their node was made; a saved storage to the module that first kept it. Methods of a module other than its forward
    are charged to their caller. Hooks stay on the model: give it a copy.
    """

    def __init__(self, model: nn.Module):
        """Builds the profiler.

        Args:
            model: A model whose hooks nobody needs; it runs as it is, on its device.
        """
        self.model = model
        self.path, self.phase = "", "forward"
        self.entered: list[str] = []
        self.counter = FlopCounterMode(display=False, custom_mapping=FORMULAS)
        self.counted = 0
        self.operations: dict[tuple[str, str], int] = {}
        self.saved: dict[torch.UntypedStorage, str] = {}
        self.excluded: set[torch.UntypedStorage] = set()

    def run(self, *args: Any, loss: Callable[[Any], Tensor] | None = None, **kwargs: Any) -> dict[str, ModuleCost]:
        """Returns the cost of every module by its path, its submodules' not included.

        Args:
            *args: Arguments of the model.
            loss: Turns outputs into what the backward starts from; by default it starts from every tensor that the
                model returns and that takes a gradient.
            **kwargs: Arguments of the model.
        """
        given = [*self.model.parameters(), *self.model.buffers(), *tensors_in((args, kwargs))]
        self.excluded = {tensor.untyped_storage() for tensor in given}
        for path, module in self.model.named_modules():
            module.register_forward_pre_hook(measuring(partial(self._enter, path)), with_kwargs=True)
            # always: a checkpoint ends its second run early, by an exception
            module.register_forward_hook(measuring(partial(self._leave)), always_call=True)
        with self.counter, fused_attention():
            with saved_tensors_hooks(self._keep, _as_it_is):
                outputs = self.model(*args, **kwargs)
                ends = [end for end in tensors_in(loss(outputs) if loss else outputs) if end.requires_grad]
            self._charge_to("")
            self.phase = "backward"
            if ends:
                torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
            self._charge_to("")
        return self._shares()

    def _enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._claim(tensors_in((args, kwargs)))
        self.entered.append(self.path)
        self._charge_to(path)

    def _leave(self, module: nn.Module, args: Any, outputs: Any) -> None:
        self._claim(tensors_in(outputs))
        self._charge_to(self.entered.pop())

    def _charge_to(self, path: str) -> None:
        """Books what was counted since the last call, and charges `path` from here on."""
        total = self.counter.get_total_flops()
        booked = self.operations.get((self.path, self.phase), 0)
        self.operations[self.path, self.phase] = booked + total - self.counted
        self.counted, self.path = total, path

    def _claim(self, tensors: Iterable[Tensor]) -> None:
        """Charges every node behind `tensors` that nobody has claimed to the module that is running."""
        nodes = [tensor.grad_fn for tensor in tensors]
        while nodes:
            node = nodes.pop()
            # A leaf's AccumulateGrad node is shared by all that use the leaf.
            if node is None or not node.next_functions:
                continue
            known = cast(dict[str, str], node.metadata)
            if CHARGED not in known:
                known[CHARGED] = self.path
                node.register_prehook(partial(self._about_to_run, self.path))
                nodes += [before for before, _ in node.next_functions]

    def _about_to_run(self, path: str, gradients: Any) -> None:
        self._charge_to(path)

    def _keep(self, tensor: Tensor) -> Tensor:
        # By storage, not by tensor: two views of one storage keep it once, and whole.
        storage = tensor.untyped_storage()
        if storage not in self.excluded:
            self.saved.setdefault(storage, self.path)
        return tensor

    def _shares(self) -> dict[str, ModuleCost]:
        shares, seen = {}, set[nn.Parameter]()
        for path, module in self.model.named_modules():
            own = [parameter for parameter in module.parameters(recurse=False) if parameter not in seen]
            seen |= set(own)
            shares[path] = ModuleCost(
                parameters=sum(parameter.numel() for parameter in own),
                trained=sum(parameter.numel() for parameter in own if parameter.requires_grad),
                forward=self.operations.get((path, "forward"), 0),
                backward=self.operations.get((path, "backward"), 0),
            )
        for storage, path in self.saved.items():
            shares[path] += ModuleCost(saved=storage.nbytes())
        return shares


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
