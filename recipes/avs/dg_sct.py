"""DG-SCT on audio-visual segmentation, by the equations of its paper, on the pyramid and decoder of its released code.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. `dg_sct_s4` and `dg_sct_ms3` are what its authors' code computes. It was never trained on AVSBench here:
its score there is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from crossmodal.data.world import COLOURS
from crossmodal.guidance import ClipGuidance
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.level_gates import LevelGates
from crossmodal.heads.mask_pyramid import LevelFactory, ProjectedLevel
from crossmodal.heads.masks import MaskHead
from crossmodal.heads.tpavi import TPAVI
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.coupled_system import Coupling, coupled_pair
from crossmodal.tasks.mask_system import MaskSystem, shortened
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 3e-4, "decay": 1.0}, trainer={"max_epochs": 15}, data={"batch_size": 8}, seed=123)
"""Published training of S4: Adam, a constant rate; weights are selected by M_J."""

five_seconds = partial(couple_dg_sct, temporal=partial(ClipGuidance, segments=5))
"""Couples by the paper's equations, with temporal guidance over clips of five seconds."""


def dg_sct(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = five_seconds,
    pool: PoolFactory = MapPooling,
    mask_size: int | None = None,
    channels: int | None = None,
    level: LevelFactory = ProjectedLevel,
    gates: Callable[[int, int, int], nn.Module] = LevelGates,
    interaction: Callable[[int, int], nn.Module] = TPAVI,
    matching: float = 0.0,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> MaskSystem:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `swin_v2_l` (published), `pvt_v2_b5`, `timm:NAME`, `torchvision:NAME`.
        audio: Audio encoder: `tiny`, `htsat` (published), `vggish`, `transformers:FOLDER` (CLAP).
        classes: Names of the categories that items carry; masks do not depend on them.
        coupling: Couples the encoders; `crossmodal.recipes.lavish.lavish` is another.
        pool: Builds the pooling of the sound over its tokens.
        mask_size: Side of the masks in pixels, 224 as published; that of the frames by default.
        channels: Channels of the pyramid; half the coarsest stream's width by default, at most 256 (published).
        level: Builds a level of the pyramid from its site, side and channels.
        gates: Builds the gates over time from levels, channels and audio channels.
        interaction: Builds each level's attention to the sound from channels and audio channels.
        matching: Weight of the audio-visual matching loss; 0.5 in the published MS3.
        visual_weights: File of weights, or `pretrained`; without it the encoder is random (save `tiny`).
        audio_weights: The same for the audio encoder.
        visual_size: Side of a frame in pixels; the model's own by default.
        visual_options: Keywords for the visual encoder's library.
        audio_options: Keywords for the audio encoder's library.

    Raises:
        ValueError: If the sizes do not fit, or an encoder cannot be had.
    """
    pair = coupled_pair(
        visual,
        audio,
        coupling=coupling,
        visual_weights=visual_weights,
        audio_weights=audio_weights,
        visual_size=visual_size,
        visual_options=visual_options,
        audio_options=audio_options,
    )
    head = partial(
        MaskHead,
        size=mask_size or pair.preprocess.size,
        channels=channels,
        level=level,
        gates=gates,
        interaction=interaction,
    )
    return MaskSystem(shortened(pair), classes=classes, head=head, pool=pool, matching=matching)
