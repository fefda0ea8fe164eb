"""ST-AVQA on audio-visual questions: sounds grounded in frames, a question that attends to both over time.

Source: Li et al., *Learning to Answer Questions in Dynamic Audio-Visual Scenarios*, CVPR 2022, and its released code,
whose numbers this file reproduces; on features of ResNet-18 (14 × 14 tokens) and VGGish. Its layers that no loss
reaches are left out. It was never trained on the real MUSIC-AVQA here.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from crossmodal.checkpoints.answers import import_st_avqa
from crossmodal.data.music_avqa_vocabulary import MUSIC_AVQA
from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads.answers import Answers, GroundedAnswers
from crossmodal.heads.grounding import SoundGrounding
from crossmodal.heads.questions import QuestionAttention, QuestionEncoder
from crossmodal.named_draws import drawn
from crossmodal.tasks.answer_system import PUBLISHED, AnswerInputs, FeatureAnswerer, answer_inputs
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.sound_matching import grounding_stage, matching_of_features

STAGES = (
    grounding_stage(
        matching_of_features,
        Settings(optim={"lr": 1e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 30}, data={"batch_size": 7}),
    ),
)
"""Published training of the grounding on real videos: batches of 64 pairs, which is 7 clips of ten."""
SETTINGS = Settings(
    optim={"lr": 1e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 80}, data={"batch_size": 64}, seed=1
)
"""Published training: Adam; validation selects by the accuracy over all questions."""


logger = logging.getLogger("crossmodal")


class STAVQA(FeatureAnswerer):
    """ST-AVQA's head on features; tokens of another width are projected to the head's."""

    def __init__(self, features: AnswerInputs, classes: Sequence[str], *, width: int, head: Callable[..., nn.Module]):
        """Builds the system; the arguments are those of `st_avqa`."""
        super().__init__(features, classes)
        same = features.visual == width
        self.project = nn.Identity() if same else drawn("project", nn.Linear, features.visual, width)
        self.head = drawn(
            "head", head, features.audio, len(vocabulary_words(classes, "st_avqa")), len(classes), width=width
        )

    def score(self, tokens: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions about clips given as features."""
        away = None if others is None else self.project(others)
        answers: Answers = self.head(self.project(tokens), away, audio, question)
        return answers


def st_avqa(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    width: int = 512,
    grounder: Callable[[int, int], nn.Module] = SoundGrounding,
    question: Callable[[int, int], nn.Module] = QuestionEncoder,
    attention: Callable[[int], nn.Module] = QuestionAttention,
    mean: float = 1.0,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> STAVQA:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `resnet18_14x14` (published), `music_avqa` for the published features, or
            another encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), `music_avqa`, or another encoder.
        classes: Answers, with the words of the questions.
        width: Channels of everything behind the features.
        grounder: Builds the grounding of sounds in frames; `crossmodal.heads.grounding.MeanGrounding` in it grounds
            nothing.
        question: Builds the encoder of questions from the vocabulary's size and the width.
        attention: Builds the question's attention over segments from the width; called for either modality.
        mean: Weight of the means over segments that are added.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = answer_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    head = partial(GroundedAnswers, mean=mean, grounder=grounder, question=question, attention=attention)
    return STAVQA(features, classes, width=width, head=head)


def released(*, weights: str | Path) -> STAVQA:
    """Builds the system of a released state on the published features.

    Args:
        weights: File of the released state.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    system = st_avqa(PUBLISHED, PUBLISHED, classes=MUSIC_AVQA)
    logger.info("%s", import_st_avqa(system, weights))
    return system


RELEASED = released
"""`crossmodal avqa reproduce --system st_avqa` runs it."""
