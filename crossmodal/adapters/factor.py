"""Factors of a stream in two parts, one number a channel and one a token, applied in as few passes as can be."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor


class Factor(NamedTuple):
    """A factor of a stream, `channels + tokens`, as two parts that are never broadcast into one of the stream's size.

    Attributes:
        channels: `(frame, 1, channel)` or `(frame, 1, 1)`, or a number.
        tokens: `(frame, token, 1)`, or `None` for zero.
    """

    channels: Tensor | float
    tokens: Tensor | None


def factor_of(base: float, terms: Sequence[Tensor]) -> Factor:
    """Computes `base + Σ terms`."""
    tokens = [term for term in terms if term.shape[1] > 1]
    channels = sum([term for term in terms if term.shape[1] == 1], start=base)
    return Factor(channels, sum(tokens[1:], start=tokens[0]) if tokens else None)


def times(stream: Tensor, factors: Sequence[Factor]) -> Tensor:
    """Computes the stream times every factor; those whose product is small are multiplied before the stream is.

    A pass over the stream for each would read, write and keep it once more.
    """
    merged: list[Factor] = []
    for factor in factors:
        if merged and has_small_product(merged[-1], factor):
            factor = product_of(merged.pop(), factor)
        merged.append(factor)
    for channels, tokens in merged:
        stream = _times_one(stream, channels, tokens)
    return stream


def has_small_product(first: Factor, second: Factor) -> bool:
    """Returns whether no part over channels meets one over tokens, which would be as large as the stream."""
    return all(
        other.tokens is None or not isinstance(one.channels, Tensor) or one.channels.shape[-1] == 1
        for one, other in ((first, second), (second, first))
    )


def product_of(first: Factor, second: Factor) -> Factor:
    """Computes the product of two factors for which it is small."""
    one, other = first.tokens, second.tokens
    terms = [] if one is None else [one * second.channels]
    if other is not None:
        terms.append(other * first.channels if one is None else other * (first.channels + one))
    return Factor(first.channels * second.channels, sum(terms[1:], start=terms[0]) if terms else None)


def _times_one(stream: Tensor, channels: Tensor | float, tokens: Tensor | None) -> Tensor:
    if tokens is None or not isinstance(channels, Tensor):
        factor = channels if tokens is None else channels + tokens
        return stream * factor
    alike = stream.dtype == channels.dtype == tokens.dtype
    # a compiler fuses the passes itself, and refuses a custom jvp
    if torch.compiler.is_compiling() or not alike or tokens.shape[-1] != 1:
        return torch.addcmul(stream * channels, stream, tokens)
    return cast(Tensor, _TwoParts.apply(stream, channels, tokens))


class _TwoParts(torch.autograd.Function):
    """Computes `stream * (channels + tokens)`; one product with the gradient serves both parts in the backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(stream: Tensor, channels: Tensor, tokens: Tensor) -> Tensor:
        return torch.addcmul(stream * channels, stream, tokens)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        stream, channels, tokens = ctx.saved_tensors
        of_factor = gradient * stream
        of_channels = of_factor.sum_to_size(channels.shape)
        of_stream = torch.addcmul(gradient * channels, gradient, tokens) if ctx.needs_input_grad[0] else None
        return of_stream, of_channels, of_factor.sum_to_size(tokens.shape)

    @staticmethod
    def jvp(ctx: Any, of_stream: Tensor | None, of_channels: Tensor | None, of_tokens: Tensor | None) -> Tensor:
        stream, channels, tokens = ctx.saved_tensors
        moved = (
            torch.zeros_like(stream) if of_stream is None else torch.addcmul(of_stream * channels, of_stream, tokens)
        )
        for part in (of_channels, of_tokens):
            moved = moved if part is None else torch.addcmul(moved, stream, part)
        return moved
