"""A modality that is missing from some items of a batch: the batch is run as the smaller batches it consists of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import product
from typing import Any, NamedTuple, ParamSpec, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch._compile import _disable_dynamo

from .encoder import unknown

Present = Mapping[str, Bool[Tensor, " item"]]
"""Modality → where it is there; one that is not named is there wherever it is given."""


P = ParamSpec("P")
R = TypeVar("R")


def uncompiled(function: Callable[P, R], *, within: bool = True) -> Callable[P, R]:
    """Keeps `torch.compile` out of a function.

    Args:
        function: Any function.
        within: With `False` it still compiles what the function calls.
    """
    # not torch.compiler.disable, which imports torch._dynamo at once and doubles the time of importing this package;
    # torch's own optimizers and checkpoints are decorated by this one, which waits for the first call
    left_alone: Callable[P, R] = _disable_dynamo(function, within)
    return left_alone


class ModalityGroup(NamedTuple):
    """Items of a batch that have the same modalities.

    Attributes:
        names: These modalities.
        rows: Where the items stand in the batch.
    """

    names: tuple[str, ...]
    rows: Tensor

    def of(self, inputs: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """Returns the inputs of these items."""
        given = {name: tensor for name in self.names if (tensor := inputs[name]) is not None}
        whole = all(len(tensor) == len(self.rows) for tensor in given.values())
        return given if whole else {name: tensor[self.rows] for name, tensor in given.items()}


@uncompiled
def group_by_modalities(inputs: Mapping[str, Tensor | None], present: Present, owner: str) -> list[ModalityGroup]:
    """Groups the items of a batch by the modalities that they have, most of them first.

    Args:
        inputs: Modality → tensor, items first; `None` for one that is missing everywhere.
        present: Modality → where it is there. Elsewhere `inputs` is never looked at.
        owner: The name with which an error begins.

    Returns:
        The groups; an item without any modality is in none.

    Raises:
        KeyError: If a name is unknown.
        ValueError: If lengths differ, or a mask claims what is not given.
    """
    given = {name: tensor for name, tensor in inputs.items() if tensor is not None}
    first, items = next((name, len(tensor)) for name, tensor in given.items())
    for name, tensor in given.items():
        if len(tensor) != items:
            raise ValueError(f"{owner}: {name} has {len(tensor)} items, {first} has {items}: they must be equal.")
    for name, mask in present.items():
        if name not in inputs:
            raise KeyError(f"{owner}: present: {unknown('modality', name, inputs)}")
        if len(mask) != items:
            raise ValueError(f"{owner}: present[{name!r}] is of {len(mask)} items, the batch has {items}.")
        if name not in given and mask.any():
            raise ValueError(
                f"{owner}: present[{name!r}] is true {int(mask.sum())} times, but {name} is None: give it, or no mask."
            )
    # a bit for every modality
    patterns = torch.zeros(items, dtype=torch.int64, device=given[first].device)
    for at, name in enumerate(inputs):
        if name in given:
            patterns += (present[name].to(patterns) if name in present else 1) << at
    groups = []
    for pattern in sorted(set(patterns.tolist()), key=int.bit_count, reverse=True):
        names = tuple(name for at, name in enumerate(inputs) if pattern >> at & 1)
        groups += [ModalityGroup(names, (patterns == pattern).nonzero()[:, 0])] if names else []
    if not groups:
        raise ValueError(f"{owner}: present says that every one of {sorted(inputs)} is missing from every item.")
    return groups


class RowsUnderWay(NamedTuple):
    """Rows of a batch that run at the moment.

    Attributes:
        rows: Where they stand in the batch.
        items: Number of items of the batch.
        batch: The same object for all groups of a batch, another one for every other batch.
    """

    rows: Tensor
    items: int
    batch: object

    def scattered(self, values: Tensor, into: Tensor | None) -> Tensor:
        """Returns values of these rows as values of the whole batch.

        Args:
            values: `(row, …)`; an item may have several rows, one after another, as a clip has segments.
            into: Values of the whole batch that other groups gave; `None` where there are none, for zeros.
        """
        each = len(values) // len(self.rows)
        at = (self.rows[:, None] * each + torch.arange(each, device=self.rows.device)).flatten().to(values.device)
        whole = values.new_zeros(self.items * each, *values.shape[1:]) if into is None else into
        return whole.index_copy(0, at, values)


_UNDER_WAY: ContextVar[RowsUnderWay | None] = ContextVar("rows under way", default=None)


def rows_under_way() -> RowsUnderWay | None:
    """Returns which rows of a batch run now; `None` where it runs whole. For hooks, which see a group of them alone."""
    return _UNDER_WAY.get()


# what each group runs is compiled
@partial(uncompiled, within=False)
def run_by_groups(groups: Sequence[ModalityGroup], items: int, run: Callable[[ModalityGroup], Any]) -> Any:
    """Runs every group as a batch of its own and scatters the results.

    Args:
        groups: Of a batch.
        items: Number of items of the batch.
        run: Computes the tensors of a group, in dictionaries of any depth.
    """
    parts, batch = [], object()
    for group in groups:
        before = _UNDER_WAY.set(RowsUnderWay(group.rows, items, batch))
        try:
            parts.append((group.rows, run(group)))
        finally:
            _UNDER_WAY.reset(before)
    return scatter(parts, items)


@uncompiled
def scatter(parts: Sequence[tuple[Tensor, Any]], items: int) -> Any:
    """Scatters tensors of the groups back into tensors of the whole batch, zero elsewhere.

    Args:
        parts: For every group, its rows and its tensors, in dictionaries of any depth. What no group has is left out.
        items: Number of items of the batch.
    """
    first = parts[0][1]
    if isinstance(first, Mapping):
        names = dict.fromkeys(name for _, tree in parts for name in tree)
        return {name: scatter([(rows, tree[name]) for rows, tree in parts if name in tree], items) for name in names}
    whole = first.new_zeros(items, *first.shape[1:])
    for rows, tensor in parts:
        whole = whole.index_copy(0, rows, tensor)  # out of place: autograd follows every group
    return whole


@uncompiled
def check_whole_clips(blocks: Iterable[nn.Module], present: Present) -> None:
    """Raises `ValueError` where a mask divides a clip although one of `blocks` reads whole ones (has `segments`)."""
    lengths = {length for block in blocks if isinstance(length := getattr(block, "segments", None), int)}
    for (name, mask), segments in product(present.items(), lengths):
        length = min(segments, len(mask))
        if length and len(mask) % length == 0:  # else the block itself has a word on that
            clips = mask.view(-1, length)
            if (clips != clips[:, :1]).any():
                raise ValueError(
                    f"Lockstep: present[{name!r}] divides a clip, but guidance over the clip was built for segments="
                    f"{segments}: let whole clips be there or missing, or leave out guidance over the clip."
                )
