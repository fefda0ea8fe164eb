"""The encoders of this library by name."""

from pathlib import Path
from typing import Any

from crossmodal.audio import LogMel
from crossmodal.checkpoints import import_htsat, import_swin_v2
from crossmodal.data import Preprocess
from crossmodal.data.world import TINY
from crossmodal.encoders import htsat_tiny_audioset, swin_v2_large
from crossmodal.encoders.by_name.kinds import PRETRAINED, Hearing, Sight, tell, the_same_numbers
from crossmodal.encoders.by_name.released import filled
from crossmodal.encoders.by_name.tiny import tiny_audio, tiny_log_mel, tiny_visual
from crossmodal.injection import Encoder
from crossmodal.audio.repeated import RepeatedLogMel


def own_swin(weights: str | Path | None) -> Sight:
    """Swin-V2-L at 192²."""
    wants = Preprocess(192)
    encoder = ours("swin_v2_l", swin_v2_large, import_swin_v2, "timm" if weights == PRETRAINED else weights, "visual")
    return Sight(encoder, encoder.sites[-1].width, wants.size, wants.mean, wants.std)


def own_htsat(weights: str | Path | None) -> Hearing:
    """HTS-AT at 32 kHz; every second repeated to ten, as it was trained."""
    encoder = ours("htsat", htsat_tiny_audioset, import_htsat, "htsat" if weights == PRETRAINED else weights, "audio")
    return Hearing(encoder, encoder.sites[-1].width, RepeatedLogMel(LogMel(), 320_000), 32_000)


def own_tiny_visual(weights: str | Path | None) -> Sight:
    """The tiny Swin-V2 of the built-in world."""
    encoder = tiny_visual(**({} if weights in (None, PRETRAINED) else {"weights": Path(weights)}))
    return Sight(encoder, encoder.sites[-1].width, TINY.size, TINY.mean, TINY.std)


def own_tiny_audio(weights: str | Path | None) -> Hearing:
    """The tiny HTS-AT of the built-in world."""
    encoder = tiny_audio(**({} if weights in (None, PRETRAINED) else {"weights": Path(weights)}))
    return Hearing(encoder, encoder.sites[-1].width, RepeatedLogMel(tiny_log_mel(), TINY.rate), TINY.rate)


SIGHTS = {"tiny": own_tiny_visual, "swin_v2_l": own_swin}
HEARINGS = {"tiny": own_tiny_audio, "htsat": own_htsat}


def ours(name: str, build: Any, importer: Any, weights: str | Path | None, side: str) -> Encoder:
    """An encoder of this library, with weights, or with random ones and a warning."""
    with the_same_numbers():
        encoder = filled(build, importer, None if weights is None else str(weights))
    tell(name, weights is not None, side)
    return encoder
