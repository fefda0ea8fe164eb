"""Pooling a stream over its tokens: by the scores of a spatial map, or by the mean."""

from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped


@shaped
def pooling_weights(map: Float[Tensor, "frame token 1"]) -> Float[Tensor, "frame token 1"]:
    r"""Weights over tokens from a spatial map $M = \sigma(e)$: $\operatorname{softmax}_t \tanh(e_t)$.

    $\tanh(\operatorname{logit} M) = (2M - 1) / (1 - 2M(1 - M))$, so the map is enough; the largest weight is at most
    $e^2$ times the smallest. Source: DG-SCT's pooling maps.
    """
    return ((2 * map - 1) / (1 - 2 * map * (1 - map))).softmax(dim=1)


@shaped
def pooled(
    stream: Float[Tensor, "frame token channel"], map: Float[Tensor, "frame token 1"] | None = None
) -> Float[Tensor, "frame channel"]:
    """The stream summed over tokens with the weights of `map`, or its mean where there is no map."""
    if map is None:
        return stream.mean(1)
    return (pooling_weights(map) * stream).sum(1)
