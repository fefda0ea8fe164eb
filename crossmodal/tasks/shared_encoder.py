"""One image encoder for both modalities: frames, and sound as pictures of filter banks."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from crossmodal.data import Preprocess
from crossmodal.encoders.by_name import visual_backbone
from crossmodal.injection import Encoder, Lockstep
from crossmodal.named_draws import drawn

from .coupled_system import Pair

SHARED_RATE = 16_000
"""Samples per second of the sound that becomes a picture."""


def shared_pair(
    visual: str,
    *,
    coupling: Callable[[Encoder], Lockstep],
    sound: Callable[[int], nn.Module],
    visual_weights: str | Path | None = None,
) -> Pair:
    """Builds an image encoder by name and couples it with itself.

    Args:
        visual: `tiny`, `swin_v2_l` or `timm:NAME`.
        coupling: Couples it, as `crossmodal.recipes.lavish.lavish_shared` does.
        sound: Builds the front end from the side of a picture: wave `(frame, sample)` → `(frame, 3, size, size)`.
        visual_weights: File of weights, or `pretrained`; without it the encoder is random (save `tiny`).

    Raises:
        ValueError: As `visual_backbone` and the coupling do.
    """
    sight = drawn("visual", visual_backbone, visual, weights=visual_weights)
    preprocess = Preprocess(sight.size, SHARED_RATE, sight.mean, sight.std)
    coupled = drawn("coupled", coupling, sight.encoder)
    return Pair(coupled, (sight.width, sight.width), sound(sight.size), preprocess)
