"""Attention on the meta device, counted as the fused kernel that the CPU would run."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional as F


def fused_attention() -> AbstractContextManager[object]:
    """While it is entered, attention of meta tensors takes the fused kernel wherever the CPU would.

    torch writes it out there. The fused kernel keeps no weights for the backward and computes the scores once more; it
    is not taken where the bias learns, where weights are dropped, and where the tensors are not of its layout.
    """
    # Not a TorchFunctionMode: it is off inside a backward, where checkpoints run their forward again.
    attention = partial(_attention, F.scaled_dot_product_attention)
    return mock.patch.object(F, "scaled_dot_product_attention", attention)


def _attention(
    written_out: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    tensors = (query, key, value)
    laid_out = all(t.is_meta and t.ndim == 4 and t.stride(-1) == 1 for t in tensors)
    learns = attn_mask is not None and attn_mask.requires_grad
    one_width = query.shape[-1] == key.shape[-1] == value.shape[-1]
    if not (laid_out and one_width) or learns or dropout_p or options.get("enable_gqa"):
        return written_out(*tensors, attn_mask, dropout_p, is_causal, **options)
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        *tensors, 0.0, is_causal, attn_mask=attn_mask, scale=options.get("scale")
    )[0]
    return attended


def _products(query: torch.Size, key: torch.Size, count: int) -> int:
    """Operations of `count` products as large as the scores; all heads have one width."""
    batch, heads, queries, width = query
    return count * 2 * batch * heads * queries * key[2] * width


def _forward(query: torch.Size, key: torch.Size, *_: Any, **__: Any) -> int:
    return _products(query, key, 2)


def _backward(gradient: torch.Size, query: torch.Size, key: torch.Size, *_: Any, **__: Any) -> int:
    return _products(query, key, 5)  # the scores anew, and the gradients of weights, values, queries and keys


# torch 2.6 does not know these two; later releases count the same.
FORMULAS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
"""What to give `FlopCounterMode(custom_mapping=…)`."""
