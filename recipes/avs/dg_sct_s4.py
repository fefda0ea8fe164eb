"""DG-SCT on audio-visual segmentation as its authors' S4 code computes it; loads their checkpoint.

Source: the released code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. The guide is resized, HTS-AT is trained
with the rest, the sound side has no gates. Of 366.0 million parameters that the code counts as trainable, 201.1 million
reach no output; they are left out here.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import nn

from crossmodal.alignment import resampled_alignment
from crossmodal.checkpoints import read_weights
from crossmodal.checkpoints.segmentation import import_dg_sct_avs
from crossmodal.data.world import COLOURS
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.level_gates import LevelGates
from crossmodal.injection import Encoder, unfreeze
from crossmodal.recipes.avs.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_avs import dg_sct_avs
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.mask_system import MaskSystem
from crossmodal.tasks.settings import Settings

logger = logging.getLogger("crossmodal")


def audio_trained(encoder: Encoder) -> Encoder:
    """Lets an audio encoder learn with the rest, and leaves a visual one frozen: as in the released S4 training.

    Args:
        encoder: An encoder of the built model.
    """
    return unfreeze(encoder) if "frequency" in encoder.sites[-1].axes else encoder


SETTINGS = Settings(
    optim={"lr": 3e-4, "decay": 1.0},
    trainer={"max_epochs": 15},
    data={"batch_size": 8},
    encoders=audio_trained,
    seed=123,
)
"""Published training: Adam, a constant rate, 15 epochs; the authors select weights on the test split."""

resized_guide = partial(dg_sct_avs, align=resampled_alignment)
"""Couples as the S4 code does: the guide is resized, where MS3 mixes its tokens."""


def dg_sct_s4(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = resized_guide,
    weights: str | Path | None = None,
    pool: PoolFactory = MapPooling,
    mask_size: int | None = None,
    channels: int | None = None,
    gates: Callable[[int, int, int], nn.Module] = LevelGates,
    matching: float = 0.0,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> MaskSystem:
    """Builds the system on two encoders by name; the arguments are those of `crossmodal.recipes.avs.dg_sct.dg_sct`.

    Args:
        visual: Visual encoder; `swin_v2_l` is the published one.
        audio: Audio encoder; `htsat` is the published one.
        classes: Names of the categories that items carry.
        coupling: Couples the encoders.
        weights: File of a released model, which fills encoders and all else. What became of every tensor is logged by
            `crossmodal` at level `INFO`.
        pool: Builds the pooling of the sound; released is by the last spatial map.
        mask_size: Side of the masks in pixels; 224 in the released model.
        channels: Channels of the pyramid; 256 in the released model.
        gates: Builds the gates over time.
        matching: Weight of the audio-visual matching loss.
        visual_weights: File of weights of the visual encoder, or `pretrained`.
        audio_weights: The same for the audio encoder.

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
            mask_size=mask_size,
            channels=channels,
            gates=gates,
            matching=matching,
            visual_weights=visual_weights,
            audio_weights=audio_weights,
        )
    if found is not None:
        logger.info("%s", import_dg_sct_avs(system, found))
    return system


RELEASED = partial(dg_sct_s4, "swin_v2_l", "htsat", classes=(), mask_size=224)
"""Builds the model of the released checkpoint, given `weights=`; `crossmodal avs reproduce` runs it."""
