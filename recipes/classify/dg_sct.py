"""DG-SCT on the classification of whole clips, by the equations of its paper.

The head is ours: the paper has no such task. Nothing was trained on real data here.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from crossmodal.data.world import COLOURS
from crossmodal.heads import ClipHead, MapPooling, PoolFactory
from crossmodal.named_draws import drawn
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.class_system import AudioVisualClasses
from crossmodal.tasks.coupled_system import Coupling, coupled_pair
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 5e-4, "decay": 0.35, "every": 3}, trainer={"max_epochs": 50})
"""The numbers of DG-SCT's training on AVE."""


def dg_sct(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = couple_dg_sct,
    pool: PoolFactory = MapPooling,
    head: Callable[[int, int, int], nn.Module] = ClipHead,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> AudioVisualClasses:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `swin_v2_l`, `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`.
        audio: Audio encoder: `tiny`, `htsat`, `transformers:FOLDER` (CLAP).
        classes: Names of the labels.
        coupling: Couples the encoders; `crossmodal.recipes.lavish.lavish` is another.
        pool: Builds the pooling of a stream over its tokens, as in `crossmodal.recipes.ave.dg_sct`.
        head: Builds the head from the visual and audio width and the number of classes.
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
    made = drawn("head", head, *pair.widths, len(classes))
    # one label a clip: nothing attends over time
    return AudioVisualClasses(pair, head=made, classes=classes, pool=pool)
