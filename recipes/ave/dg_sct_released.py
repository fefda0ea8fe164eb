"""DG-SCT on audio-visual event localisation as its authors' code computes it; loads their checkpoint.

Source: the released code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. `dg_sct` holds the paper's equations.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from crossmodal.checkpoints import import_dg_sct_ave, read_weights
from crossmodal.data import AVE_CLASSES
from crossmodal.data.world import COLOURS
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.event_system import AudioVisualEvents, GateLoss
from crossmodal.tasks.settings import Settings

logger = logging.getLogger("crossmodal")

SETTINGS = Settings(optim={"lr": 5e-4, "decay": 0.35, "every": 3}, trainer={"max_epochs": 50})
"""The published numbers in a careful training; `released_training` adds what the released code does besides."""


def dg_sct_released(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = couple_dg_sct_released,
    weights: str | Path | None = None,
    pool: PoolFactory = MapPooling,
    width: int | None = None,
    gate_loss: GateLoss = F.binary_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> AudioVisualEvents:
    """Builds the system on two encoders by name; the arguments are those of `crossmodal.recipes.ave.dg_sct.dg_sct`.

    Args:
        visual: Visual encoder; `swin_v2_l` is the published one.
        audio: Audio encoder; `htsat` is the published one.
        classes: Names of the events; background is not counted.
        coupling: Couples the encoders.
        weights: File of a released model (`dg_sct_ave` is the published one), which fills encoders and all else. What
            became of every tensor is logged by `crossmodal` at level `INFO`.
        pool: Builds the pooling of a stream; released is by the last spatial map.
        width: Width of the heads.
        gate_loss: Loss of the temporal gate in training.
        visual_weights: File of weights of the visual encoder, or `pretrained`.
        audio_weights: The same for the audio encoder.
        visual_size: Side of a frame in pixels.
        visual_options: Keywords for the visual encoder's library.
        audio_options: Keywords for the audio encoder's library.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    found = None if weights is None else read_weights(weights)
    # on meta no time and memory goes into random weights that the file replaces
    with nullcontext() if found is None else torch.device("meta"):
        system = dg_sct(
            visual,
            audio,
            classes=classes,
            coupling=coupling,
            pool=pool,
            width=width,
            gate_loss=gate_loss,
            visual_weights=visual_weights,
            audio_weights=audio_weights,
            visual_size=visual_size,
            visual_options=visual_options,
            audio_options=audio_options,
        )
    if found is not None:
        logger.info("%s", import_dg_sct_ave(system, found))
    return system


RELEASED = partial(dg_sct_released, "swin_v2_l", "htsat", classes=AVE_CLASSES)
"""Builds the model of the released checkpoint, given `weights=`; `crossmodal ave reproduce` runs it."""
