"""Builds the two encoders of the full-size models with released weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from crossmodal.checkpoints import Imported, import_htsat, import_swin_v2, read_weights
from crossmodal.encoders import htsat_tiny_audioset, swin_v2_large
from crossmodal.encoders.by_name.backbone import logger
from crossmodal.injection import Encoder


@dataclass(frozen=True)
class EncoderWeights:
    """Released weights of two encoders, each a file or the name of a released one; `None` for random weights.

    Attributes:
        visual: Of Swin-V2-L; `"timm"` is the one from the hub.
        audio: Of HTS-AT; `"htsat"` is the one of AudioSet, `"clap"` that of CLAP, which was trained on another
            log-mel.
    """

    visual: str | None = None
    audio: str | None = None


def full_size_encoders(weights: EncoderWeights) -> tuple[Encoder, Encoder]:
    """Builds Swin-V2-L and HTS-AT, and logs what became of every tensor of a file.

    Raises:
        ValueError: As the importers do.
    """
    visual = with_weights(swin_v2_large, import_swin_v2, weights.visual)
    return visual, with_weights(htsat_tiny_audioset, import_htsat, weights.audio)


def with_weights(build: Callable[[], Encoder], importer: Callable[..., Imported], weights: str | None) -> Encoder:
    """Builds an encoder and loads its weights; with `None` they are random.

    Args:
        build: Builds the encoder.
        importer: Loads a file into it.
        weights: A file, or the name of a released one.
    """
    if weights is None:
        return build()
    checkpoint = read_weights(weights)
    with torch.device("meta"):  # no time and memory for random weights that the file replaces
        encoder = build()
    logger.info("%s", importer(encoder, checkpoint))
    return encoder
