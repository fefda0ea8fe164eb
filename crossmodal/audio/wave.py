"""Repetition of waves to a given length."""

from jaxtyping import Float
from torch import Tensor

from ..shapes import shaped


@shaped
def tile(wave: Float[Tensor, "*batch sample"], samples: int) -> Float[Tensor, "*batch length"]:
    """Repeats a wave to `samples` samples: sample `i` of the result is sample `i % sample` of the wave.

    The released code doubles a second until it is longer than ten and crops it, with the same result.

    Args:
        wave: The wave; a longer one is cropped.
        samples: Length of the result.

    Raises:
        ValueError: If the wave is empty, or `samples` is.
    """
    length = wave.shape[-1]
    if length == 0 or samples < 1:
        raise ValueError(f"tile: wave has {length} samples, samples={samples} are wanted: both must be at least 1.")
    repeats = -(-samples // length)  # rounded up
    return wave.repeat(*(1,) * (wave.ndim - 1), repeats)[..., :samples]
