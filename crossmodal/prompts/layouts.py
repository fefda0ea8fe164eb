"""Layouts: where the learned vectors of a prompt stand among its words."""

from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor

from .sentences import Sentences

PromptLayout = Callable[[int, int], tuple[int, int]]
"""`(learned vectors, tokens of the class name) -> (vectors before the name, vectors behind it)`, which add up."""


def at_end(context: int, name: int) -> tuple[int, int]:
    """Puts the class name behind all vectors: `[v1] … [vn] name`."""
    return context, 0


def in_middle(context: int, name: int) -> tuple[int, int]:
    """Puts the class name between the first half of the vectors and the rest."""
    return context // 2, context - context // 2


def at_front(context: int, name: int) -> tuple[int, int]:
    """Puts the class name before all vectors."""
    return 0, context


def prompt_token_order(sentences: Sentences, layout: PromptLayout) -> tuple[tuple[int, ...], ...]:
    """Returns where each token of a prompt comes from: a place in its sentence or, behind these, a learned vector.

    Args:
        sentences: The sentences.
        layout: Splits the vectors.

    Raises:
        ValueError: If the layout loses or repeats a vector.
    """
    length, context = len(sentences.ids[0]), sentences.context
    found = []
    for name in sentences.names:
        first, rest = layout(context, name)
        if min(first, rest) < 0 or first + rest != context:
            raise ValueError(
                f"token_order: layout puts {first} vectors before the name and {rest} behind it, but there are "
                f"context={context}: it must place each once."
            )
        vectors, words = range(length, length + context), range(1 + context, length)
        parts = (range(1), vectors[:first], words[:name], vectors[first:], words[name:])
        found.append(tuple(chain.from_iterable(parts)))
    return tuple(found)


def order_table(order: tuple[tuple[int, ...], ...], *, device: torch.device) -> Tensor:
    """Returns an order as a tensor `(class, token, 1)`, for `torch.take_along_dim`."""
    return torch.tensor(order, device=device)[..., None]
