"""Attention on the meta device, counted as the fused kernel that the CPU would run."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import Tensor

FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_ONE_AT_A_TIME = Lock()
"""A kernel is registered for the whole process, and only once."""


@contextmanager
def fused_attention() -> Iterator[None]:
    """Runs attention of meta tensors by the fused kernel wherever the CPU would.

    torch decomposes it on the meta device. The fused kernel keeps no weights for the backward and computes the scores
    once more; it is not taken where the bias learns, where weights are dropped, and where the tensors are not of its
    layout.
    """
    # A kernel, not a TorchFunctionMode: that is off inside a backward, where checkpoints run their forward again.
    with _ONE_AT_A_TIME, torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("scaled_dot_product_attention", _attention, "AutogradMeta")
        yield


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    tensors = (query, key, value)
    laid_out = all(t.ndim == 4 and t.stride(-1) == 1 for t in tensors)
    learns = attn_mask is not None and attn_mask.requires_grad
    one_width = query.shape[-1] == key.shape[-1] == value.shape[-1]
    attended: Tensor
    if not (laid_out and one_width) or learns or dropout_p or enable_gqa:
        decomposed = torch.ops.aten._scaled_dot_product_attention_math
        attended = decomposed(*tensors, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)[0]
    else:
        attended = FLASH(*tensors, 0.0, is_causal, attn_mask=attn_mask, scale=scale)[0]
    return attended


def _products(query: torch.Size, key: torch.Size, count: int) -> int:
    """Counts the operations of `count` products as large as the scores; all heads have one width."""
    batch, heads, queries, width = query
    return count * 2 * batch * heads * queries * key[2] * width


def _forward(query: torch.Size, key: torch.Size, *_: Any, **__: Any) -> int:
    return _products(query, key, 2)


def _backward(gradient: torch.Size, query: torch.Size, key: torch.Size, *_: Any, **__: Any) -> int:
    return _products(query, key, 5)  # the scores anew, and the gradients of weights, values, queries and keys


# torch 2.10 does not know these two; releases that do count the same.
FORMULAS = {FLASH: _forward, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward}
"""Formulas for `FlopCounterMode(custom_mapping=…)`."""
