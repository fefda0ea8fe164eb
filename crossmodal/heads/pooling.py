"""Attention pooling of a stream over its tokens, with the scores of a spatial map, or mean pooling."""

from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped


@shaped
def pooling_weights(map: Float[Tensor, "frame token 1"]) -> Float[Tensor, "frame token 1"]:
    r"""Computes pooling weights from a spatial map $M = \sigma(e)$: $\operatorname{softmax}_t \tanh(e_t)$.

    The map suffices, because $\tanh(\operatorname{logit} M) = (2M - 1) / (1 - 2M(1 - M))$. The largest weight is at
    most $e^2$ times the smallest. Source: DG-SCT's pooling maps.
    """
    # This form stays finite where the sigmoid has saturated and the logit is infinite.
    return ((2 * map - 1) / (1 - 2 * map * (1 - map))).softmax(dim=1)


@shaped
def pool_tokens(
    stream: Float[Tensor, "frame token channel"], map: Float[Tensor, "frame token 1"] | None = None
) -> Float[Tensor, "frame channel"]:
    """Pools a stream over its tokens, with the weights of `map`, or by the mean without a map."""
    if map is None:
        return stream.mean(1)
    return (pooling_weights(map) * stream).sum(1)
