"""DG-SCT on audio-visual event localisation, by the equations of its paper.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. It was never trained on the real AVE here: its score there is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn import functional as F

from crossmodal.data.world import COLOURS
from crossmodal.heads import EventHead, MapPooling, PoolFactory, TemporalAttention
from crossmodal.named_draws import drawn
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.coupled_system import Coupling, coupled_pair
from crossmodal.tasks.event_system import AudioVisualEvents, GateLoss
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 5e-4, "decay": 0.35, "every": 3}, trainer={"max_epochs": 50})
"""Published training: Adam, the learning rate times 0.35 every 3 epochs."""


def dg_sct(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = couple_dg_sct,
    pool: PoolFactory = MapPooling,
    width: int | None = None,
    time_attention: Callable[[int, int, int], nn.Module] = TemporalAttention,
    head: Callable[[int, int], nn.Module] = EventHead,
    gate_loss: GateLoss = F.binary_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> AudioVisualEvents:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `swin_v2_l` (published), `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`.
        audio: Audio encoder: `tiny`, `htsat` (published), `transformers:FOLDER` (CLAP).
        classes: Names of the events; background is not counted.
        coupling: Couples the encoders; `crossmodal.recipes.lavish.lavish` is another.
        pool: Builds the pooling of a stream over its tokens: `MapPooling` by the adapters' last map over tokens,
            `MapPooling` with `map="spatial"` by that one alone, `MeanPooling`, or a block of your own.
        width: Width of the heads; by default 256 (published), or half of the visual width where that is less.
        time_attention: Builds the temporal attention from the visual and audio width and `width`.
        head: Builds the event head from `width` and the number of classes.
        gate_loss: Loss of the temporal gate in training.
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
    width = width or min(256, pair.widths[0] // 2)  # 256 as published; less on tiny encoders
    return AudioVisualEvents(
        pair,
        temporal=drawn("temporal", time_attention, *pair.widths, width),
        head=drawn("head", head, width, len(classes)),
        classes=classes,
        pool=pool,
        gate_loss=gate_loss,
    )
