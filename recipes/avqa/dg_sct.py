"""DG-SCT on audio-visual questions, by the equations of its paper, with ST-AVQA's head.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. It was never trained on the real MUSIC-AVQA here: its score there is not known.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.answers import GroundedAnswers
from crossmodal.heads.grounding import SoundGrounding
from crossmodal.heads.questions import QuestionAttention, QuestionEncoder
from crossmodal.named_draws import drawn
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.answer_system import CoupledAnswerer
from crossmodal.tasks.coupled_system import Coupling, coupled_pair
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.sound_matching import grounding_stage, matching_of_clips

STAGES = (
    grounding_stage(
        matching_of_clips,
        Settings(optim={"lr": 3e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 30}, data={"batch_size": 13}),
    ),
)
"""Published training of the grounding on real videos: batches of 128 pairs, which is 13 clips of ten."""

SETTINGS = Settings(
    optim={"lr": 1e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 80}, data={"batch_size": 8}, seed=1
)
"""Published training: Adam; validation selects by the accuracy over all questions, and stops after three worse epochs,
which is left to `--trainer.callbacks`."""


def dg_sct(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    coupling: Coupling = couple_dg_sct,
    pool: PoolFactory = MapPooling,
    width: int | None = None,
    grounder: Callable[[int, int], nn.Module] = SoundGrounding,
    question: Callable[[int, int], nn.Module] = QuestionEncoder,
    attention: Callable[[int], nn.Module] = QuestionAttention,
    share_clips: bool = False,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> CoupledAnswerer:
    """Builds the system on two encoders by name.

    Args:
        visual: Visual encoder: `tiny`, `swin_v2_l` (published), `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`.
        audio: Audio encoder: `tiny`, `htsat` (published), `transformers:FOLDER` (CLAP).
        classes: Answers, with the words of the questions.
        coupling: Couples the encoders; `crossmodal.recipes.lavish.lavish` is another.
        pool: Builds the pooling of the sound over its tokens, as in `crossmodal.recipes.ave.dg_sct`.
        width: Channels of the head; `None`, published, takes the visual encoder's, whose tokens then are not projected.
        grounder: Builds the grounding of sounds in frames from the audio width and the width.
        question: Builds the encoder of questions from the vocabulary's size and the width.
        attention: Builds the question's attention over segments from the width; called for either modality.
        share_clips: Whether questions about one clip run the encoders once in training, too; published, each runs them.
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
    seen, heard = pair.widths
    head = drawn(
        "head",
        GroundedAnswers,
        heard,
        len(vocabulary_words(classes, "dg_sct")),
        len(classes),
        width=width or seen,
        grounder=grounder,
        question=question,
        attention=attention,
    )
    project = drawn("project", nn.Linear, seen, width) if width else nn.Identity()
    return CoupledAnswerer(pair, head=head, project=project, classes=classes, pool=pool, share_clips=share_clips)
