"""Attention over `batch token head width`, by one of several backends."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..shapes import shaped


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
    """Softmax attention."""
    attended = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=bias, scale=scale
    )
    return attended.transpose(1, 2)
