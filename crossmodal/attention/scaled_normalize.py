"""L2 normalisation times a scale, as cosine attention needs it, with little kept for the backward."""

from typing import Any, cast

import torch
from torch import Tensor

SHORTEST = 1e-12
"""Smallest norm that is divided by, as in `F.normalize`."""


def scaled_normalize(vectors: Tensor, length: Tensor) -> Tensor:
    r"""Normalises `vectors` along the last dimension and scales them to `length`: $\ell\,x / \|x\|$.

    Equals `F.normalize(vectors, dim=-1) * length`. That keeps its input, the norms and its result for the backward;
    this keeps the result, which attention keeps anyway, and one number per vector. Norms and their sums are taken in
    float32 at least.

    Args:
        vectors: `(…, width)`.
        length: Broadcastable to `(…, 1)`, nowhere zero.
    """
    return cast(Tensor, _ScaledNormalize.apply(vectors, length)[0])


class _ScaledNormalize(torch.autograd.Function):
    """Maps (vectors, length) to the scaled vectors and length / norm: an output, so that all differentiates twice.

    With y = ℓx/|x| and r = ℓ/|x|: x receives r(g − y(g·y + r·g_r)/ℓ²), ℓ receives (g·y + r·g_r)/ℓ.
    """

    generate_vmap_rule = True  # else torch.func refuses to map over it

    @staticmethod
    def forward(vectors: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(vectors.dtype, torch.float32)
        norm = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=exact)
        ratio = length / norm.clamp(min=SHORTEST)
        return (vectors * ratio).to(vectors.dtype), ratio

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*output, inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, of_ratio: Tensor) -> tuple[Tensor, Tensor | None]:
        lengthened, ratio, length = ctx.saved_tensors
        along = (gradient * lengthened).sum(-1, keepdim=True, dtype=ratio.dtype) + ratio * of_ratio
        across = torch.addcmul(gradient, lengthened, along / length.square(), value=-1)
        of_length = (along / length).sum_to_size(length.shape) if ctx.needs_input_grad[1] else None
        return (across * ratio).to(lengthened.dtype), of_length
