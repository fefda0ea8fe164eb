"""The two encoders of the full-size models, with released weights."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

from crossmodal.checkpoints import Imported, import_htsat, import_swin_v2, read_weights
from crossmodal.encoders import htsat_tiny_audioset, swin_v2_large
from crossmodal.injection import Encoder

logger = logging.getLogger("crossmodal")


@dataclass(frozen=True)
class EncoderWeights:
    """Released weights of two encoders: a file each, or the name of a published one; `None` for random ones.

    - `visual`: of Swin-V2-L; `"timm"` is the one from the hub.
    - `audio`: of HTS-AT; `"htsat"` is the one of AudioSet, `"clap"` that of CLAP, which was trained on another log-mel.
    """

    visual: str | None = None
    audio: str | None = None


def full_size_encoders(weights: EncoderWeights) -> tuple[Encoder, Encoder]:
    """Swin-V2-L and HTS-AT. What became of every tensor of a file is logged. Raises as the importers do."""
    visual = filled(swin_v2_large, import_swin_v2, weights.visual)
    return visual, filled(htsat_tiny_audioset, import_htsat, weights.audio)


def filled(build: Callable[[], Encoder], importer: Callable[..., Imported], weights: str | None) -> Encoder:
    """An encoder, with weights or with random ones."""
    if weights is None:
        return build()
    found = read_weights(weights)
    with torch.device("meta"):
        encoder = build()
    logger.info("%s", importer(encoder, found))
    return encoder
