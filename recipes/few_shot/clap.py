"""CLAP alone: seconds of sound matched with class names in a fixed sentence; nothing learns.

Source: Wu et al., *Large-scale Contrastive Language-Audio Pretraining*, ICASSP 2023. How the published rows on AVE and
LLP used it is not documented; here every second of sound is matched by itself.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import sound_text
from crossmodal.recipes.few_shot.clip import fixed_prompts
from crossmodal.tasks.matched_system import MatchedSounds
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""


def clap(
    audio: str = "tiny_clap",
    *,
    classes: Sequence[str] = HELD_OUT,
    template: str = "the sounds of {}.",
    audio_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    frame_size: int = 64,
) -> MatchedSounds:
    """Builds the system on a CLAP by name.

    Args:
        audio: `tiny_clap` or `clap_htsat`.
        classes: Names of the classes.
        template: Sentence; braces stand for the class name.
        audio_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files; `tiny_clap` has its own.
        frame_size: Side of the frames, which are not read; small ones cost less to decode.
    """
    of = sound_text(audio, weights=audio_weights, vocabulary=vocabulary)
    return MatchedSounds(
        of.model,
        partial(fixed_prompts, tokenizer=of.tokenizer, template=template),
        sound=of.sound,
        classes=classes,
        preprocess=Preprocess(frame_size, of.rate),
    )
