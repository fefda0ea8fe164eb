"""Checks an attention against its law: any function with the arguments of `attend`."""

from dataclasses import dataclass
from typing import Any

import torch

from . import laws
from .laws.attention import Attend, AttentionTrial
from .report import Report
from .suite import Suite, needed


def check_attention(attend: Attend) -> Report:
    """Checks that an attention computes what the reference does, in outputs and gradients.

    Args:
        attend: A function with the arguments of `crossmodal.attention.attend`.

    Returns:
        The report.

    Raises:
        LawBroken: If the law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return ATTENTION.check(attend)


@dataclass(frozen=True)
class AttentionSizes:
    """Holds the sizes of query, key and value, whether there is a bias, and the scale."""

    batch: int
    queries: int
    keys: int
    heads: int
    width: int
    value_width: int
    bias: bool
    scale: float | None
    seed: int

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in vars(self).items())


def attention_sizes(_: AttentionSizes) -> Any:
    """Builds a strategy of `AttentionSizes`."""
    st = needed("hypothesis.strategies")
    small = st.integers(1, 4)
    tokens = st.sampled_from((1, 2, 3, 4, 33, 130))  # beyond a block of 32 or 128 too
    return st.builds(
        AttentionSizes,
        small,
        tokens,
        tokens,
        small,
        small,
        small,
        st.booleans(),
        st.sampled_from((None, 1.0, 0.3)),
        st.integers(0, 999),
    )


def attention_trial(attend: Attend, sizes: AttentionSizes) -> AttentionTrial:
    """Draws query, key, value and bias; half of the time heads lie apart in memory, as after a projection."""

    def drawn(tokens: int, width: int) -> torch.Tensor:
        if sizes.seed % 2:
            return torch.randn(sizes.batch, sizes.heads, tokens, width).transpose(1, 2)
        return torch.randn(sizes.batch, tokens, sizes.heads, width)

    query, key = drawn(sizes.queries, sizes.width), drawn(sizes.keys, sizes.width)
    value = drawn(sizes.keys, sizes.value_width)
    bias = torch.randn(sizes.batch, sizes.heads, sizes.queries, sizes.keys) if sizes.bias else None
    return AttentionTrial(attend, query, key, value, bias, sizes.scale)


ATTENTION: Suite[Attend, AttentionSizes, AttentionTrial] = Suite(
    kind="attention",
    smallest=lambda _: AttentionSizes(1, 1, 1, 1, 1, 1, bias=False, scale=None, seed=0),
    sizes=attention_sizes,
    trial=attention_trial,
    laws=(laws.backends_agree,),
)
"""The law of every attention."""
