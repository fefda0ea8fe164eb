"""DG-SCT on audio-visual video parsing, by the equations of its paper, with MGN's parsing head.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. That both modalities are gated over time follows the paper's figure as recalled; `dg_sct_released` gates
one. It was never trained on the real LLP here: its score there is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from crossmodal.data.world import TEXTURES
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.class_groups import ClassGroups, small_normal
from crossmodal.heads.sequence_gate import GatedByEachOther
from crossmodal.named_draws import drawn
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.coupled_system import Coupling, coupled_pair
from crossmodal.tasks.parsing_system import CoupledParser
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(
    optim={"lr": 3e-4, "decay": 0.1, "every": 10}, trainer={"max_epochs": 40}, data={"batch_size": 8}, seed=1
)
"""Published training: Adam; validation selects by segment-level Type@AV."""


def dg_sct(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    coupling: Coupling = couple_dg_sct,
    pool: PoolFactory = MapPooling,
    width: int = 128,
    motion: int = 0,
    gates: Callable[[int], nn.Module] = GatedByEachOther,
    head: Callable[[int, int], nn.Module] = ClassGroups,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> CoupledParser:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `swin_v2_l` (published), `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`.
        audio: Audio encoder: `tiny`, `htsat` (published), `transformers:FOLDER` (CLAP).
        classes: Names of the categories.
        coupling: Couples the encoders; `crossmodal.recipes.lavish.lavish` is another.
        pool: Builds the pooling of a stream over its tokens, as in `crossmodal.recipes.ave.dg_sct`.
        width: Channels of both modalities behind the encoders.
        motion: Channels of motion features beside the frames: 512 reads R(2+1)D-18 (published), 0 goes without.
        gates: Builds the gates over time from the width.
        head: Builds the parsing head from the width and the number of categories.
        visual_label: Share of a clip's label in its visual target; 1 does not smooth.
        visual_weights: File of weights, or `pretrained`; without it the encoder is random (save `tiny`).
        audio_weights: The same for the audio encoder.
        visual_size: Side of a frame in pixels; the model's own by default.
        visual_options: Keywords for the visual encoder's library.
        audio_options: Keywords for the audio encoder's library.
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
    build = partial(
        CoupledParser, pair, width=width, motion=motion, classes=classes, pool=pool, visual_label=visual_label
    )
    made = drawn("head", head, width, len(classes))
    system: CoupledParser = drawn("projections", build, gates=drawn("gates", gates, width), head=made)
    for part in (system.visual_in, system.audio_in, system.motion):
        part.apply(small_normal)
    return system
