"""Selective activation checkpointing inside couplers, from outside: dear products are kept, the rest runs again."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from torch.utils.flop_counter import flop_registry

from .checkpointed import RestoredBuffers
from .mode import ExecutionMode, L, Modules, Run, T, called_with_tensors, with_mode

aten = torch.ops.aten
# their first argument is what is added: the factors come after it
ADDED_TO = (aten.addmm, aten.baddbmm)
# From torch 2.14 on, what is kept passes the hooks of saved tensors: only then can it be counted or moved to the CPU.
HOOKED = {name: True for name in inspect.signature(checkpoint).parameters if name == "respect_saved_tensors_hooks"}
REFUSALS = {
    "not found in storage": "run again, an adapter asks for another operation: its forward must do the same every time",
    "an extra time": "what is kept serves one backward, and this is another: take checkpointed() for retain_graph=True",
}
"""What torch says in the backward → what to do."""


@dataclass(frozen=True)
class SelectiveCheckpointing(ExecutionMode):
    """Keeps of every coupler its streams and the results of its dear products; all else runs once more.

    Norms, relus, maps and sums are cheap to run again. Under `torch.compile` couplers run as they are: there the
    compiler decides what is kept.

    Args:
        min_flops_per_element: Operations for one number of a result from which on a product is kept; 0 keeps all.
    """

    min_flops_per_element: int = 128

    def coupler(self, run: Run[T], modules: Modules) -> Run[T]:
        """Returns a coupler that is selectively checkpointed where gradients are on."""

        def selective_coupler(streams: Mapping[str, Tensor]) -> T:
            if not torch.is_grad_enabled():
                return run(streams)

            def guarded(streams: Mapping[str, Tensor]) -> T:
                with OverwriteGuard(self.keeps):
                    return run(streams)

            call: Any = partial(checkpoint, called_with_tensors(guarded, streams), use_reentrant=False, **HOOKED)
            return call(*streams.values(), context_fn=partial(self._contexts, list(modules())))

        return selective_coupler

    def _contexts(self, modules: list[nn.Module]) -> "tuple[AbstractContextManager[Any], Recomputing]":
        keeping, handing_out = create_selective_checkpoint_contexts(self.policy)
        return keeping, Recomputing(RestoredBuffers(modules), handing_out)

    def policy(self, ctx: Any, op: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
        """Returns the policy for an operation, as torch's selective checkpointing asks for it."""
        return CheckpointPolicy.MUST_SAVE if self.keeps(op, args) else CheckpointPolicy.PREFER_RECOMPUTE

    def keeps(self, op: Any, args: Sequence[Any]) -> bool:
        """Returns whether the result of an operation is kept."""
        flops = flops_per_element(op, args)
        return flops is not None and flops >= self.min_flops_per_element


def recomputed(lockstep: L, *, min_flops_per_element: int = 128) -> L:
    """Returns `lockstep` with selective activation checkpointing inside its couplers.

    Both hold the very same modules and hooks. To keep less for more operations, see `checkpointed`. An adapter that
    overwrites the result of a kept product in place is refused with a `RuntimeError`, and so are, in the backward, a
    second one (`retain_graph`) and an adapter that does something else when it is run again.

    Args:
        lockstep: In any mode. In a checkpointed one, steps run again as a whole and no product is kept.
        min_flops_per_element: Products that cost fewer operations for a number of their result run again; with 0 none
            does, and the operations of a step stay what they are.
    """
    return with_mode(lockstep, SelectiveCheckpointing(min_flops_per_element))


def flops_per_element(op: Any, args: Sequence[Any]) -> int | None:
    """Returns the operations of a product for one number of its result; `None` for what torch counts as no product.

    Told from the shapes of the arguments: before torch 2.13 a policy does not see the result.
    """
    product = getattr(op, "_overloadpacket", op)
    if product not in flop_registry:
        return None
    second: Tensor = args[2 if product in ADDED_TO else 1]
    if "conv" in str(product):
        return 2 * second[0].numel()  # the weights behind one channel of the result
    if "attention" in str(product):
        return 4 * second.shape[-2]  # every key is multiplied twice: into the score, and its value into the sum
    return 2 * second.shape[-2]


class Recomputing:
    """Context of the second run, which is entered once for every backward; torch's refusals are said with a remedy."""

    def __init__(self, *contexts: AbstractContextManager[Any]):
        """Keeps the contexts that make it up, which are entered in this order."""
        self.contexts, self.stack = contexts, ExitStack()

    def __enter__(self) -> None:
        for context in self.contexts:
            self.stack.enter_context(context)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self.stack.__exit__(kind, error, trace)
        for said, advice in REFUSALS.items():
            if isinstance(error, RuntimeError) and said in str(error):
                raise RuntimeError(f"recomputed: {advice}.") from error


class OverwriteGuard(TorchDispatchMode):
    """Refuses operations that overwrite a kept result in place.

    Torch looks at version counters, which a linear layer on three dimensions hides behind a view: what is kept would be
    wrong, and no word said.
    """

    def __init__(self, keeps: Callable[[Any, Sequence[Any]], bool]):
        """Guards the results of the operations for which `keeps(operation, arguments)` is true."""
        super().__init__()
        self.keeps, self.kept = keeps, set[torch.UntypedStorage]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable and not self.kept.isdisjoint(overwritten_storages(func, args, kwargs)):
            raise RuntimeError(
                f"recomputed: an adapter overwrites the result of a product in place ({func}): write it out of place "
                "(inplace=False)."
            )
        result = func(*args, **kwargs)
        if self.keeps(func, args):
            self.kept.update(leaf.untyped_storage() for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        return result

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        # a storage that is listed here would keep its memory alive
        self.kept.clear()


def overwritten_storages(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[torch.UntypedStorage]:
    """Yields the memory of the arguments that an operation changes in place."""
    for at, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[at] if at < len(args) else kwargs.get(argument.name)
            yield from (leaf.untyped_storage() for leaf in tree_leaves(given) if isinstance(leaf, Tensor))
