"""The encoders of this library by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ...audio import LogMel, RepeatedLogMel
from ...audio.vggish_mel import RATE as VGGISH_RATE
from ...audio.vggish_mel import VggishLogMel
from ...checkpoints import Imported, import_clip_image, import_htsat, import_swin_v2, read_weights
from ...checkpoints.extractors import import_vgg19, import_vggish
from ...checkpoints.pvt_v2 import import_pvt_v2
from ...data import Preprocess
from ...data.world import TINY
from ...injection import Encoder
from .. import htsat_tiny_audioset, pvt_v2_b5, swin_v2_large, vgg19, vggish
from ..clip import CLIP_MEAN, CLIP_SIZES, CLIP_STD, ClipSize, clip_image_of_size
from .backbone import (
    PRETRAINED,
    AudioBackbone,
    VisualBackbone,
    fixed_seed,
    logger,
    warn_if_random,
)
from .clap import OneChannel
from .clip_activation import clip_activation, marked, warn_of_activation
from .resnet_maps import resnet18_14x14
from .text_pairs import CLAP_RATE, clap_front_end
from .tiny import tiny_audio, tiny_log_mel, tiny_visual


def own_swin_v2_l(weights: str | Path | None) -> VisualBackbone:
    """Builds Swin-V2-L for frames of 192²."""
    front_end = Preprocess(192)
    file = "timm" if weights == PRETRAINED else weights
    encoder = build_own("swin_v2_l", swin_v2_large, import_swin_v2, file, "visual")
    return VisualBackbone(encoder, encoder.sites[-1].width, front_end.size, front_end.mean, front_end.std)


def own_pvt_v2_b5(weights: str | Path | None) -> VisualBackbone:
    """Builds PVT-v2-B5 for frames of 224²."""
    front_end = Preprocess(224)
    encoder = build_own("pvt_v2_b5", pvt_v2_b5, import_pvt_v2, weights, "visual")
    return VisualBackbone(encoder, encoder.sites[-1].width, front_end.size, front_end.mean, front_end.std)


def own_htsat(weights: str | Path | None) -> AudioBackbone:
    """Builds HTS-AT at 32 kHz; every second is repeated to ten, the length it was trained on."""
    file = "htsat" if weights == PRETRAINED else weights
    encoder = build_own("htsat", htsat_tiny_audioset, import_htsat, file, "audio")
    return AudioBackbone(encoder, encoder.sites[-1].width, RepeatedLogMel(LogMel(), 320_000), 32_000)


def own_tiny_visual(weights: str | Path | None) -> VisualBackbone:
    """Builds the tiny Swin-V2 of the built-in world."""
    encoder = tiny_visual() if weights is None or weights == PRETRAINED else tiny_visual(weights=Path(weights))
    return VisualBackbone(encoder, encoder.sites[-1].width, TINY.size, TINY.mean, TINY.std)


def own_tiny_audio(weights: str | Path | None) -> AudioBackbone:
    """Builds the tiny HTS-AT of the built-in world."""
    encoder = tiny_audio() if weights is None or weights == PRETRAINED else tiny_audio(weights=Path(weights))
    return AudioBackbone(encoder, encoder.sites[-1].width, RepeatedLogMel(tiny_log_mel(), TINY.rate), TINY.rate)


def own_vgg19(weights: str | Path | None) -> VisualBackbone:
    """Builds VGG-19 up to its last pooling, for frames of 224² scaled as Keras does, in RGB."""
    encoder = build_own("vgg19", vgg19, import_vgg19, weights, "visual")
    red, green, blue = (value / 255 for value in KERAS_MEANS)
    return VisualBackbone(encoder, encoder.sites[-1].width, 224, (red, green, blue), (1 / 255, 1 / 255, 1 / 255))


def own_vggish(weights: str | Path | None) -> AudioBackbone:
    """Builds VGGish at 16 kHz: one second → one vector of 128 numbers, after its last ReLU."""
    encoder = build_own("vggish", vggish, import_vggish, weights, "audio")
    return AudioBackbone(encoder, encoder.sites[-1].width, nn.Sequential(VggishLogMel(), OneChannel()), VGGISH_RATE)


def own_clip(name: str, size: ClipSize, weights: str | Path | None) -> VisualBackbone:
    """Builds the image tower of a CLIP: its class token, which comes first, is what CLIP projects."""
    file = name if weights == PRETRAINED else weights
    activation = clip_activation(weights)
    build = partial(clip_image_of_size, size, activation=activation)
    encoder = marked(build_own(name, build, import_clip_image, file, "visual"), activation)
    return VisualBackbone(encoder, encoder.sites[-1].width, size.size, CLIP_MEAN, CLIP_STD)


def own_clap_htsat(weights: str | Path | None) -> AudioBackbone:
    """Builds the HTS-AT of CLAP at 48 kHz; every second is repeated to ten, the length it was trained on."""
    file = "clap" if weights == PRETRAINED else weights
    encoder = build_own("clap_htsat", htsat_tiny_audioset, import_htsat, file, "audio")
    return AudioBackbone(encoder, encoder.sites[-1].width, clap_front_end(), CLAP_RATE)


KERAS_MEANS = (123.68, 116.779, 103.939)
"""Means of red, green and blue in 0…255."""

VISUAL_BUILDERS: dict[str, Callable[[str | Path | None], VisualBackbone]] = {
    "tiny": own_tiny_visual,
    "swin_v2_l": own_swin_v2_l,
    "vgg19": own_vgg19,
    "resnet18_14x14": resnet18_14x14,
    **{name: partial(own_clip, name, size) for name, size in CLIP_SIZES.items()},
    "pvt_v2_b5": own_pvt_v2_b5,
}
AUDIO_BUILDERS: dict[str, Callable[[str | Path | None], AudioBackbone]] = {
    "tiny": own_tiny_audio,
    "htsat": own_htsat,
    "clap_htsat": own_clap_htsat,
    "vggish": own_vggish,
}


def build_own(
    name: str,
    build: Callable[[], Encoder],
    importer: Callable[..., Imported],
    weights: str | Path | None,
    side: str,
) -> Encoder:
    """Builds an encoder of this library, with weights, or with random ones and a warning."""
    with fixed_seed():
        encoder = with_weights(build, importer, None if weights is None else str(weights))
    warn_if_random(name, weights is not None, side)
    return encoder


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
    if importer is import_clip_image:
        warn_of_activation(weights, checkpoint.tensors)
    with torch.device("meta"):  # no time and memory for random weights that the file replaces
        encoder = build()
    logger.info("%s", importer(encoder, checkpoint))
    return encoder
