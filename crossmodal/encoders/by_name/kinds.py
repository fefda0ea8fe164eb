"""What a backbone is: an encoder with what it has to be given; and whether it knows anything."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from crossmodal.injection import Encoder

logger = logging.getLogger("crossmodal")

PRETRAINED = "pretrained"
"""In place of a file of weights: those that the library itself fetches from its hub."""

Rgb = tuple[float, float, float]


class Sight(NamedTuple):
    """A visual encoder, the width of what its head returns, and what its frames look like: side, mean and deviation."""

    encoder: Encoder
    width: int
    size: int
    mean: Rgb
    std: Rgb


class Hearing(NamedTuple):
    """An audio encoder, the width of its stream, what makes its input of a second of sound, and at which rate."""

    encoder: Encoder
    width: int
    sound: nn.Module
    rate: int


def tell(name: str, trained: bool, side: str) -> None:
    """Warns of an encoder that knows nothing."""
    if not trained:
        logger.warning(
            "the %s encoder %s has RANDOM weights: it knows nothing, and no figure of it means anything. Give a file "
            "as %s_weights, or 'pretrained' to fetch those of its hub.",
            side,
            name,
            side,
        )


@contextmanager
def the_same_numbers() -> Iterator[None]:
    """Random weights that are the same in every run, so that a run with them can be loaded; draws nothing outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
