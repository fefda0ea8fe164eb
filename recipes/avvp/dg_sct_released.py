"""DG-SCT on audio-visual video parsing as its authors' code computes it; loads their checkpoint.

Source: the released code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. `dg_sct` holds the paper's equations. The
sound gates the picture over time and not the reverse; motion features of R(2+1)D-18 are a third input; the extent of an
event is hardly predicted (`crossmodal.heads.class_groups.OnePlusSoftmax`).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossmodal.checkpoints import read_weights
from crossmodal.checkpoints.parsing import import_dg_sct_avvp
from crossmodal.data.llp_rows import LLP_CLASSES
from crossmodal.data.world import TEXTURES
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.class_groups import ClassGroups
from crossmodal.heads.sequence_gate import GatedBySound
from crossmodal.recipes.avvp.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.avvp.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.parsing_system import CoupledParser

logger = logging.getLogger("crossmodal")


def dg_sct_released(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    coupling: Coupling = couple_dg_sct_released,
    weights: str | Path | None = None,
    pool: PoolFactory = MapPooling,
    width: int = 128,
    motion: int = 0,
    gates: Callable[[int], nn.Module] = GatedBySound,
    head: Callable[[int, int], nn.Module] = ClassGroups,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> CoupledParser:
    """Builds the system on two encoders by name; the arguments are those of `crossmodal.recipes.avvp.dg_sct.dg_sct`.

    Args:
        visual: Visual encoder; `swin_v2_l` is the published one.
        audio: Audio encoder; `htsat` is the published one.
        classes: Names of the categories.
        coupling: Couples the encoders.
        weights: File of a released model, which fills encoders and all else. What became of every tensor is logged by
            `crossmodal` at level `INFO`.
        pool: Builds the pooling of a stream; released is by the last spatial map.
        width: Channels of both modalities behind the encoders.
        motion: Channels of motion features beside the frames; 512 in the released model.
        gates: Builds the gates over time from the width.
        head: Builds the parsing head from the width and the number of categories.
        visual_label: Share of a clip's label in its visual target.
        visual_weights: File of weights of the visual encoder, or `pretrained`.
        audio_weights: The same for the audio encoder.
        visual_size: Side of a frame in pixels.
        visual_options: Keywords for the visual encoder's library.
        audio_options: Keywords for the audio encoder's library.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    found = None if weights is None else read_weights(weights)
    with nullcontext() if found is None else torch.device("meta"):
        system = dg_sct(
            visual,
            audio,
            classes=classes,
            coupling=coupling,
            pool=pool,
            width=width,
            motion=motion,
            gates=gates,
            head=head,
            visual_label=visual_label,
            visual_weights=visual_weights,
            audio_weights=audio_weights,
            visual_size=visual_size,
            visual_options=visual_options,
            audio_options=audio_options,
        )
    if found is not None:
        logger.info("%s", import_dg_sct_avvp(system, found))
    return system


RELEASED = partial(dg_sct_released, "swin_v2_l", "htsat", classes=LLP_CLASSES, motion=512)
"""Builds the model of the released checkpoint, given `weights=`; `crossmodal avvp reproduce` runs it."""
