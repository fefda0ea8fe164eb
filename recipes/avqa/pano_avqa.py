"""Pano-AVQA on audio-visual questions, a **reconstruction**: a transformer over words, sounds and frames.

MUSIC-AVQA's adaptation is not public. What is fixed: layers, ring and readout are those of the published LAViT, whose
numbers `crossmodal.heads.tri_modal` reproduces. What is ours: ST-AVQA's features, one token for a second without
coordinates, words from scratch, a small width and depths. Its published row cannot be expected of it.

Source: Yun et al., *Pano-AVQA: Grounded Audio-Visual Question Answering on 360° Videos*, ICCV 2021; the rest is ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crossmodal.data.questions import LENGTH
from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads.answers import Answers, answer_alone
from crossmodal.heads.tri_modal import (
    AveragedProjections,
    ThreeStreams,
    TriModalTransformer,
    WideReadout,
    WordEmbedding,
)
from crossmodal.named_draws import drawn
from crossmodal.recipes.avqa.question_only import SETTINGS as SETTINGS
from crossmodal.tasks.answer_system import AnswerInputs, FeatureAnswerer, answer_inputs
from crossmodal.tasks.settings import Settings

QUICK = Settings(optim={"lr": 1e-4})
"""At the quick rate of the task its layers, whose norms stand behind the sums, learn less than the bias of answers."""


class PanoAVQA(FeatureAnswerer):
    """LAViT on one token per second and modality, behind their mean."""

    def __init__(
        self,
        features: AnswerInputs,
        classes: Sequence[str],
        *,
        width: int,
        transformer: Callable[[int], nn.Module],
    ):
        """Builds the system; the arguments are those of `pano_avqa`."""
        super().__init__(features, classes)
        self.words = drawn("words", WordEmbedding, len(vocabulary_words(classes, "pano_avqa")), width, places=LENGTH)
        self.sounds = drawn("sounds", AveragedProjections, [features.audio], width)
        self.frames = drawn("frames", AveragedProjections, [features.visual], width)
        self.transformer: Any = drawn("transformer", transformer, width)
        self.answer = drawn("answer", WideReadout, 3 * width, len(classes))

    def score(self, tokens: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions about clips given as features."""
        sounds, frames = (behind_mean(part) for part in (audio, tokens.mean(2)))
        streams = ThreeStreams(self.words(question), self.sounds(sounds), self.frames(frames))
        pooled = self.transformer.pooled(self.transformer(streams))
        return answer_alone(self.answer(torch.cat(pooled, dim=1)), question, tokens.shape[1])


def behind_mean(sequence: Tensor) -> Tensor:
    """Returns a sequence with its mean as a token before it."""
    return torch.cat([sequence.mean(1, keepdim=True), sequence], dim=1)


def small_transformer(width: int) -> TriModalTransformer:
    """Builds the transformer with the depths of the reconstruction; the published ones are 9, 5, 5 and 5."""
    return TriModalTransformer(width, heads=4, hidden=1024, layers=(2, 2, 2), across=2)


def pano_avqa(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    width: int = 256,
    transformer: Callable[[int], nn.Module] = small_transformer,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> PanoAVQA:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `resnet18_14x14`, `music_avqa` for the published features, or another encoder.
        audio: Audio extractor: `tiny`, `vggish`, `music_avqa`, or another encoder.
        classes: Answers, with the words of the questions.
        width: Channels of everything behind the features.
        transformer: Builds the transformer from the width.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = answer_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return PanoAVQA(features, classes, width=width, transformer=transformer)
