"""An encoder together with the input that it expects, and a warning for encoders with random weights."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from ...injection import Encoder

logger = logging.getLogger("crossmodal")

PRETRAINED = "pretrained"
"""Given instead of a file of weights: the weights that the library itself fetches from its hub."""

Rgb = tuple[float, float, float]


class VisualBackbone(NamedTuple):
    """A visual encoder and its input.

    Attributes:
        encoder: Frames `(frame, 3, size, size)` → stream.
        width: Channels of the stream that its head returns.
        size: Side of a frame in pixels.
        mean: Mean of each colour, for normalisation.
        std: Standard deviation of each colour.
    """

    encoder: Encoder
    width: int
    size: int
    mean: Rgb
    std: Rgb


class AudioBackbone(NamedTuple):
    """An audio encoder and its front end.

    Attributes:
        encoder: Output of `sound` → stream.
        width: Channels of the stream.
        sound: Wave `(frame, sample)` of one second → input of the encoder.
        rate: Samples per second of the wave.
    """

    encoder: Encoder
    width: int
    sound: nn.Module
    rate: int


def warn_if_random(name: str, trained: bool, side: str) -> None:
    """Logs a warning if an encoder has random weights.

    Args:
        name: Name of the encoder.
        trained: Whether its weights were loaded.
        side: `"visual"` or `"audio"`, for the name of the argument that takes weights.
    """
    if not trained:
        logger.warning(
            "the %s encoder %s has RANDOM weights: it knows nothing, and no figure of it means anything. Give a file "
            "as %s_weights, or 'pretrained' to fetch those of its hub.",
            side,
            name,
            side,
        )


@contextmanager
def fixed_seed() -> Iterator[None]:
    """Runs a block with seed 0 and restores the random state afterwards.

    Random encoders are then the same in every run, so that adapters trained on them can be loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
