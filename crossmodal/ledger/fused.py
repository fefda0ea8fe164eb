"""Attention on the meta device, counted as the fused kernel that the CPU would run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class FusedAttention(TorchFunctionMode):
    """Sends attention of meta tensors to the fused kernel wherever the CPU would; torch writes it out there.

    The fused kernel keeps no weights for the backward and computes the scores once more. It is not taken where the bias
    learns, where weights are dropped, and where the tensors are not of its layout.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """One call of a torch function."""
        if func is F.scaled_dot_product_attention:
            return _attention(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _attention(
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
        written = F.scaled_dot_product_attention(*tensors, attn_mask, dropout_p, is_causal, **options)
        return written
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
