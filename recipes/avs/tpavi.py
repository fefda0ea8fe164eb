"""TPAVI, AVSBench's own segmentation model: pixels attend to the sound on the pyramid of one trained visual encoder.

Source: Zhou et al., *Audio-Visual Segmentation*, ECCV 2022, and its released code, whose numbers its head reproduces.
Nothing is coupled: the sound enters behind the encoders. The visual encoder is trained, VGGish is frozen.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from crossmodal.data.world import COLOURS
from crossmodal.heads import MeanPooling
from crossmodal.heads.level_gates import Ungated
from crossmodal.heads.mask_pyramid import DilatedLevel, LevelFactory
from crossmodal.heads.masks import MaskHead
from crossmodal.heads.tpavi import TPAVI
from crossmodal.injection import Encoder, Lockstep, couple, unfreeze
from crossmodal.injection.step import Step
from crossmodal.tasks.coupled_system import coupled_pair
from crossmodal.tasks.mask_system import MaskSystem, shortened
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 1e-4, "decay": 1.0}, trainer={"max_epochs": 15}, data={"batch_size": 4}, seed=123)
"""Published training of S4: Adam, a constant rate, selection on the validation split; MS3 has 30 epochs."""


def one_after_another(sites: Mapping[str, Sequence[Any]]) -> tuple[Step, ...]:
    """Pairs nothing: one step runs both encoders from end to end.

    Args:
        sites: Stream → its sites.
    """
    return (Step({name: tuple(site.name for site in of[1:]) for name, of in sites.items()}),)


def side_by_side(visual: Encoder, audio: Encoder) -> Lockstep:
    """Runs two encoders that do not know each other; the visual one learns, the other is frozen.

    Args:
        visual: Encoder of frames.
        audio: Encoder of sounds; frozen in place.
    """
    lockstep = couple(visual, audio, adapter=_no_adapter, pairing=one_after_another)
    unfreeze(visual)
    return lockstep


def _no_adapter(*sites: Any) -> nn.Module:
    raise ValueError("tpavi: no step has a coupler, and none must be built.")


def tpavi(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    mask_size: int | None = None,
    channels: int | None = None,
    level: LevelFactory = DilatedLevel,
    gates: Callable[[int, int, int], nn.Module] = Ungated,
    interaction: Callable[[int, int], nn.Module] = TPAVI,
    matching: float = 0.0,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
) -> MaskSystem:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `pvt_v2_b5` (published), or another with stages.
        audio: Audio encoder: `tiny`, `vggish` (published), or another.
        classes: Names of the categories that items carry; masks do not depend on them.
        mask_size: Side of the masks in pixels; that of the frames by default, 224 as published.
        channels: Channels of the pyramid; half the coarsest stream's width by default, at most 256 (published).
        level: Builds a level of the pyramid.
        gates: Builds gates over time; published are none.
        interaction: Builds each level's attention to the sound.
        matching: Weight of the audio-visual matching loss; 0.5 in the published MS3.
        visual_weights: File of weights of the visual encoder, or `pretrained`.
        audio_weights: The same for the audio encoder.
        visual_size: Side of a frame in pixels; the model's own by default.
    """
    pair = coupled_pair(
        visual,
        audio,
        coupling=side_by_side,
        visual_weights=visual_weights,
        audio_weights=audio_weights,
        visual_size=visual_size,
    )
    head = partial(
        MaskHead,
        size=mask_size or pair.preprocess.size,
        channels=channels,
        audio_channels=pair.widths[1],
        level=level,
        gates=gates,
        interaction=interaction,
        project_audio=as_it_is,
    )
    return MaskSystem(shortened(pair), classes=classes, head=head, pool=MeanPooling, matching=matching)


def as_it_is(width: int, channels: int) -> nn.Module:
    """Leaves the sound as the encoder makes it: published is VGGish's 128 numbers.

    Args:
        width: Width of the sound.
        channels: The same.
    """
    return nn.Identity()
