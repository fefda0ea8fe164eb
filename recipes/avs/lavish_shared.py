"""LAVisH on audio-visual segmentation: one frozen image encoder sees the frames, and the sound as pictures.

Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023. Its released
segmentation file cannot run; this is what it describes: the two-way adapters, projections to the widths of PVT-v2, the
dilated sums of AVSBench, TPAVI and its decoder, without gates over time. Departures: both directions have a gate, where
its option leaves it out for sound; a second of sound is repeated to 1.95 s.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from crossmodal.adapters import Bottleneck, GateThenNorm, Sized
from crossmodal.attention.latent import LatentTokens
from crossmodal.audio.fbank import FbankPicture
from crossmodal.data.world import COLOURS
from crossmodal.heads import MeanPooling
from crossmodal.heads.level_gates import Ungated
from crossmodal.heads.mask_pyramid import LevelFactory, projected_dilated_level
from crossmodal.heads.masks import MaskHead
from crossmodal.heads.tpavi import TPAVI
from crossmodal.recipes.lavish import lavish_shared as couple_shared
from crossmodal.tasks.mask_system import MaskSystem
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.shared_encoder import shared_pair

SETTINGS = Settings(optim={"lr": 3e-4, "decay": 1.0}, trainer={"max_epochs": 15}, data={"batch_size": 8}, seed=123)
"""Training of DG-SCT's S4; LAVisH's own command, 5e-5 and no TPAVI, did not make the published figure."""


def segmentation_bottleneck(channels: int, *, reduction: int = 4, groups: int = 2) -> Bottleneck:
    """Builds the bottleneck of LAVisH's segmentation: no norm on entry, no batch norm, the gate before the last norm.

    Args:
        channels: Width of the stream.
        reduction: The hidden layer has `channels // reduction` units.
        groups: Groups of both linear layers.
    """
    return Bottleneck(
        channels, reduction=reduction, groups=groups, before=nn.Identity, norm=nn.Identity, finish=GateThenNorm
    )


def zero_latents(channels: int, *, latents: int = 16) -> LatentTokens:
    """Builds latent tokens that start at zero.

    Args:
        channels: Width of the stream.
        latents: Number of tokens.
    """
    return LatentTokens(channels, latents, init=nn.init.zeros_)


def lavish_shared(
    visual: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    latents: Sized = zero_latents,
    bottleneck: Sized = segmentation_bottleneck,
    mask_size: int | None = None,
    channels: int | None = None,
    level: LevelFactory = projected_dilated_level,
    gates: Callable[[int, int, int], nn.Module] = Ungated,
    interaction: Callable[[int, int], nn.Module] = TPAVI,
    matching: float = 0.0,
    visual_weights: str | Path | None = None,
) -> MaskSystem:
    """Builds the system on one image encoder by name.

    Args:
        visual: Encoder of both modalities: `tiny`, `swin_v2_l` (published), `timm:NAME`.
        classes: Names of the categories that items carry; masks do not depend on them.
        latents: Factory of the latent tokens of an adapter.
        bottleneck: Factory of the bottleneck that writes the residual.
        mask_size: Side of the masks in pixels; that of the frames by default, 224 as published.
        channels: Channels of the pyramid; half the coarsest stream's width by default, at most 256 (published).
        level: Builds a level of the pyramid.
        gates: Builds gates over time; published are none.
        interaction: Builds each level's attention to the sound.
        matching: Weight of the audio-visual matching loss.
        visual_weights: File of weights, or `pretrained`.
    """
    coupling = partial(couple_shared, latents=latents, bottleneck=bottleneck)
    pair = shared_pair(visual, coupling=coupling, sound=FbankPicture, visual_weights=visual_weights)
    head = partial(
        MaskHead,
        size=mask_size or pair.preprocess.size,
        channels=channels,
        level=level,
        gates=gates,
        interaction=interaction,
    )
    return MaskSystem(pair, classes=classes, head=head, pool=MeanPooling, matching=matching)
