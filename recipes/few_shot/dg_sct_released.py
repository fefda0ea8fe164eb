"""DG-SCT on class names as its authors' code computes it; loads their few-shot, pre-training and zero-shot checkpoints.

Source: the released few-shot code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023. It modulates before the
bottleneck, takes CLAP's logarithmic scale for the scale and lets gradients through the weights of the loss. It feeds
CLAP, which was trained at 48 kHz, sound of 32 kHz, and CLIP frames by ImageNet's statistics (`as_released`).
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from crossmodal.audio import LogMel, RepeatedLogMel
from crossmodal.checkpoints.released_names import import_dg_sct_names
from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import ImageText, SoundText
from crossmodal.heads.matched_clips import ScoreRule, Weighing, as_stored, doubled_sum, weighed_dynamically_released
from crossmodal.prompts import ContextFactory
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.recipes.few_shot.dg_sct import COUPLING, as_trained, dg_sct, four_vectors
from crossmodal.recipes.few_shot.dg_sct import SETTINGS as PUBLISHED
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.matched_pair import MatchedPair

logger = logging.getLogger("crossmodal")

SETTINGS = PUBLISHED
"""Published training, as of `dg_sct`."""

RATE = 32_000
COUPLED = partial(couple_dg_sct_released, **COUPLING)


def as_released(image: ImageText, sound: SoundText) -> tuple[nn.Module, Preprocess]:
    """Returns the released front end: sound at 32 kHz repeated to ten seconds, frames by ImageNet's statistics."""
    return RepeatedLogMel(LogMel(RATE), 10 * RATE), Preprocess(image.size, RATE)


def dg_sct_released(
    visual: str = "tiny_clip",
    audio: str = "tiny_clap",
    *,
    classes: Sequence[str] = HELD_OUT,
    coupling: Coupling = COUPLED,
    weights: str | Path | None = None,
    audio_log_scale: float | None = None,
    context: ContextFactory = four_vectors,
    sound_template: str = "the sounds of {}",
    rule: ScoreRule = doubled_sum,
    weighing: Weighing = weighed_dynamically_released,
    audio_scale: Callable[[Tensor], Tensor] = as_stored,
    reads: Callable[[ImageText, SoundText], tuple[nn.Module, Preprocess]] = as_trained,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    audio_vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
) -> MatchedPair:
    """Builds the system on a CLIP and a CLAP by name; the arguments are those of `crossmodal.recipes.few_shot.dg_sct`.

    Args:
        visual: Image and text model; `clip_vit_b_32` is the published one.
        audio: Sound and text model; `clap_htsat` is the published one.
        classes: Names of the classes.
        coupling: Couples the encoders.
        weights: File of a released model, which fills towers and all else.
        audio_log_scale: Scale of CLAP's logits, which released files lack.
        context: Vectors of CLIP's prompts; the released are four, drawn anew, not the words “a photo of a”.
        sound_template: CLAP's sentence.
        rule: Scores from both logits; `released_quotient` in pre-training and zero-shot.
        weighing: Weighs the loss terms; `weighed_by_schedule` in localisation.
        audio_scale: Scale of CLAP's cosines; released is the logarithm itself.
        reads: Front end of sounds and form of clips; `as_released` with released weights.
        visual_weights: File of CLIP's weights, or `pretrained`.
        audio_weights: File of CLAP's weights, or `pretrained`.
        vocabulary: Folder of the files of CLIP's tokenizer.
        audio_vocabulary: Folder of the files of CLAP's tokenizer.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    system = dg_sct(
        visual,
        audio,
        classes=classes,
        coupling=coupling,
        context=context,
        sound_template=sound_template,
        rule=rule,
        weighing=weighing,
        audio_scale=audio_scale,
        reads=reads,
        visual_weights=visual_weights,
        audio_weights=audio_weights,
        vocabulary=vocabulary,
        audio_vocabulary=audio_vocabulary,
        pretrained=pretrained,
    )
    if weights is not None:
        logger.info("%s", import_dg_sct_names(system, weights, audio_log_scale=audio_log_scale))
    return system
