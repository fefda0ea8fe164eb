"""Attention over `batch token head width`, by one of several backends."""

from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped
from .backends import backend_named


@shaped
def attend(
    query: Float[Tensor, "batch query head width"],
    key: Float[Tensor, "batch key head width"],
    value: Float[Tensor, "batch key head value_width"],
    *,
    bias: Float[Tensor, "#batch #head query key"] | None = None,
    scale: float | None = None,
    backend: str = "sdpa",
) -> Float[Tensor, "batch query head value_width"]:
    r"""Computes softmax attention of every query over all keys.

    $$\operatorname{softmax}(\text{scale} \cdot q k^\top + \text{bias})\,v$$

    Args:
        query: Queries.
        key: Keys.
        value: Values, of any width.
        bias: Added to the logits, any real number; minus infinity hides a key from a query. Every query must keep a
            key: what it gets from none is undefined (0 or NaN, depending on the kernel). `reference` refuses such a
            row, `explain` names it; the fused backends do not look.
        scale: Of the logits; `width ** -0.5` by default.
        backend: `"sdpa"` (torch's fused kernels), `"xformers"` (`memory_efficient_attention`, CUDA only) or
            `"reference"` (holds all weights: slow and obvious). They agree in outputs and gradients; `explain` tells
            which kernel would run.

    Raises:
        ValueError: If the backend does not exist.
        RuntimeError: If xformers cannot run these tensors; with its own reasons.
        ImportError: If xformers is asked for and not installed.
    """
    return backend_named(backend)(query, key, value, bias, scale)
