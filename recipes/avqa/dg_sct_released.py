"""DG-SCT on audio-visual questions as its authors' code computes it; loads their checkpoint.

Source: the released code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. `dg_sct` holds the paper's equations. Its
adapters have two latent tokens that start at zero, four groups, no BatchNorm, and no gate on the audio side: they
disturb the audio encoder from the first step on.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossmodal.adapters import Sized
from crossmodal.checkpoints import read_weights
from crossmodal.checkpoints.answers import import_dg_sct_avqa
from crossmodal.data.music_avqa_vocabulary import MUSIC_AVQA
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.grounding import SoundGrounding
from crossmodal.heads.questions import QuestionAttention, QuestionEncoder
from crossmodal.recipes.avqa.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.avqa.dg_sct import STAGES as STAGES
from crossmodal.recipes.avqa.dg_sct import dg_sct
from crossmodal.recipes.avqa.released_adapters import finish_sounds, plain_bottleneck, two_latents
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.tasks.answer_system import CoupledAnswerer
from crossmodal.tasks.coupled_system import Coupling

logger = logging.getLogger("crossmodal")

COUPLING = partial(couple_dg_sct_released, latents=two_latents, bottleneck=plain_bottleneck)
"""The released coupling with the adapters of MUSIC-AVQA."""


def dg_sct_released(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    coupling: Coupling = COUPLING,
    weights: str | Path | None = None,
    pool: PoolFactory = MapPooling,
    width: int | None = None,
    grounder: Callable[[int, int], nn.Module] = SoundGrounding,
    question: Callable[[int, int], nn.Module] = QuestionEncoder,
    attention: Callable[[int], nn.Module] = QuestionAttention,
    share_clips: bool = False,
    sound_finish: Sized = nn.LayerNorm,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> CoupledAnswerer:
    """Builds the system on two encoders by name; the arguments are those of `crossmodal.recipes.avqa.dg_sct.dg_sct`.

    Args:
        visual: Visual encoder; `swin_v2_l` is the published one.
        audio: Audio encoder; `htsat` is the published one.
        classes: Answers, with the words of the questions.
        coupling: Couples the encoders.
        weights: File of a released model, which fills encoders and all else. What became of every tensor is logged by
            `crossmodal` at level `INFO`.
        pool: Builds the pooling of the sound; released is by the last spatial map.
        width: Channels of the head; `None`, released, takes the visual encoder's.
        grounder: Builds the grounding of sounds in frames.
        question: Builds the encoder of questions.
        attention: Builds the question's attention over segments.
        share_clips: Whether questions about one clip run the encoders once in training, too; released, each runs them.
        sound_finish: Builds the end of the bottlenecks that write to the audio stream; released has no gate there.
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
            grounder=grounder,
            question=question,
            attention=attention,
            share_clips=share_clips,
            visual_weights=visual_weights,
            audio_weights=audio_weights,
            visual_size=visual_size,
            visual_options=visual_options,
            audio_options=audio_options,
        )
        finish_sounds(system.coupled, sound_finish)
    if found is not None:
        logger.info("%s", import_dg_sct_avqa(system, found))
    return system


RELEASED = partial(dg_sct_released, "swin_v2_l", "htsat", classes=MUSIC_AVQA)
"""Builds the model of the released checkpoint, given `weights=`; `crossmodal avqa reproduce` runs it."""
