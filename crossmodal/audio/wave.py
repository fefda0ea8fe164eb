"""Waves of one length."""

from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped


@shaped
def tile(wave: Float[Tensor, "*batch sample"], samples: int) -> Float[Tensor, "*batch length"]:
    """Repeats a wave until it has `samples` samples, and cuts the rest.

    The released code brings one second to ten by doubling it and cutting; doubled or appended one by one, sample `i` of
    the result is sample `i % sample` of the wave. A longer wave is cut. Raises `ValueError` for an empty wave.
    """
    length = wave.shape[-1]
    if length == 0 or samples < 1:
        raise ValueError(f"tile: wave has {length} samples, samples={samples} are wanted: both must be at least 1.")
    repeats = -(-samples // length)
    return wave.repeat(*(1,) * (wave.ndim - 1), repeats)[..., :samples]
