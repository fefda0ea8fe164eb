"""Run again without its dear products: their results are kept by autograd, everything else is computed anew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import flop_registry

from .checkpointed import BuffersAsBefore


def without_cheap(run: Callable[..., Any], tape: "Tape", modules: Sequence[nn.Module], *tensors: Tensor) -> Any:
    """`run(*tensors)`, of which only the tensors and what `tape` takes are kept for the backward.

    - `modules`: what runs; their buffers are written once.

    Raises `RuntimeError` where `run` does something else the second time.
    """
    contexts = Recording(tape), Again(BuffersAsBefore(modules), Replaying(tape))
    return tape.held_by(checkpoint(run, *tensors, use_reentrant=False, context_fn=lambda: contexts))


class Tape:
    """The results of the dear products of one forward. Autograd holds them, as everything saved for a backward."""

    def __init__(self, worth: int):
        self.worth = worth
        self.products: list[tuple[Any, Any]] = []  # the operation; its result with a slot for every tensor, or None
        self.tensors: list[Tensor] = []

    def add(self, operation: Any, result: Any, operations: int) -> None:
        """Notes a product, and keeps its result if that is worth it."""
        if operations < self.worth * sum(leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)):
            self.products.append((operation, None))
            return
        self.products.append((operation, tree_map(lambda leaf: SLOT if isinstance(leaf, Tensor) else leaf, result)))
        self.tensors += [leaf.detach() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]

    def about_to_write(self, targets: Sequence[Tensor]) -> None:
        """Copies what is kept where an operation is about to change it in place."""
        written = {target.untyped_storage() for target in targets}
        self.tensors = [kept.clone() if kept.untyped_storage() in written else kept for kept in self.tensors]

    def held_by(self, outputs: Any) -> Any:
        """`outputs`, whose backward brings the tensors back before anything runs again."""
        leaves, structure = tree_flatten(outputs)
        at = [number for number, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]
        kept, self.tensors = self.tensors, []
        held = _Holding.apply(self, len(at), *(leaves[number] for number in at), *kept) if at else ()
        for number, leaf in zip(at, held, strict=True):
            leaves[number] = leaf
        return tree_unflatten(leaves, structure)


SLOT = object()
NOTHING: tuple[Any, Any] = ("nothing more", None)


class _Holding(torch.autograd.Function):
    """The identity on outputs, which saves the tensors of a tape for its backward and brings them back in it."""

    @staticmethod
    def forward(ctx: Any, tape: Tape, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.tape, ctx.kept = tape, len(tensors) - count
        ctx.save_for_backward(*tensors[count:])
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        ctx.tape.tensors = list(ctx.saved_tensors)
        return None, None, *gradients, *[None] * ctx.kept


class Recording(TorchDispatchMode):
    """Runs everything, and gives the results of products to a tape."""

    def __init__(self, tape: Tape):
        super().__init__()
        self.tape = tape

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.is_mutable:
            self.tape.about_to_write(written(func, args, kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.tape.add(func, result, count(*args, **(kwargs or {}), out_val=result))
        return result


class Replaying(TorchDispatchMode):
    """Runs everything but the products whose results are on a tape."""

    def __init__(self, tape: Tape):
        super().__init__()
        self.tape = tape
        self.products: Iterator[tuple[Any, Any]] = iter(())
        self.tensors: Iterator[Tensor] = iter(())

    def __enter__(self) -> "Replaying":
        self.products, self.tensors = iter(self.tape.products), iter(self.tape.tensors)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self.tape.tensors, self.tensors = [], iter(())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._overloadpacket not in flop_registry:
            return func(*args, **(kwargs or {}))
        recorded, result = next(self.products, NOTHING)
        if recorded is not func:
            raise RuntimeError(
                f"recomputed: run again, the coupler asks for {func} where it asked for {recorded}: its forward must "
                f"do the same every time."
            )
        if result is None:
            return func(*args, **(kwargs or {}))
        return tree_map(lambda leaf: next(self.tensors).detach() if leaf is SLOT else leaf, result)


class Again:
    """Several contexts as one, entered once for every backward."""

    def __init__(self, *contexts: AbstractContextManager[Any]):
        self.contexts, self.stack = contexts, ExitStack()

    def __enter__(self) -> None:
        for context in self.contexts:
            self.stack.enter_context(context)

    def __exit__(self, *raised: Any) -> None:
        self.stack.__exit__(*raised)


def written(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The arguments that an operation changes in place."""
    given = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)} | dict(kwargs)
    changed = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return [leaf for name in changed for leaf in tree_leaves(given.get(name)) if isinstance(leaf, Tensor)]
