"""AVSD on audio-visual questions, a **reconstruction**: attention by potentials over the question, frames and sounds.

MUSIC-AVQA's adaptation is not public. What is fixed: the attention and the LSTM behind it are those of the published
code, whose numbers `crossmodal.heads.factor_attention` reproduces. What is ours: ST-AVQA's features and closed set of
answers in the place of dialogue and decoder, and its training. Its published row cannot be expected of it.

Source: Schwartz et al., *A Simple Baseline for Audio-Visual Scene-Aware Dialog*, CVPR 2019; the rest is ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads.answers import Answers, answer_alone
from crossmodal.heads.factor_attention import FactorAttention
from crossmodal.named_draws import drawn
from crossmodal.recipes.avqa.question_only import SETTINGS as SETTINGS
from crossmodal.tasks.answer_system import AnswerInputs, FeatureAnswerer, answer_inputs


class AVSD(FeatureAnswerer):
    """Potentials over the words, the tokens of some frames, and the sounds; an LSTM over what they choose."""

    def __init__(
        self,
        features: AnswerInputs,
        classes: Sequence[str],
        *,
        width: int,
        words: int,
        frames: int,
        attention: Callable[[Sequence[int]], nn.Module],
    ):
        """Builds the system; the arguments are those of `avsd`."""
        super().__init__(features, classes)
        self.shown = frames
        self.embedding = drawn("embedding", nn.Embedding, len(vocabulary_words(classes, "avsd")), words)
        self.question = drawn("question", nn.LSTM, words, width, batch_first=True)
        self.frames = drawn("frames", nn.Linear, features.visual, width)
        self.sounds = drawn("sounds", nn.Linear, features.audio, width)
        self.attention = drawn("attention", attention, [width] * (frames + 2))
        self.history = drawn("history", nn.LSTM, width, width, batch_first=True)
        self.answer = drawn("answer", nn.Linear, 2 * width, len(classes))

    def score(self, tokens: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions about clips given as features."""
        states, _ = self.question(self.embedding(question))
        states = states * (question != 0)[:, :, None]  # as of packed sequences: nothing stands behind the last word
        at = torch.arange(self.shown, device=tokens.device) * tokens.shape[1] // self.shown
        sets = [states, *self.frames(tokens[:, at]).unbind(1), self.sounds(audio)]
        priors = [last_word(question, states), *(part.new_zeros(part.shape[:2]) for part in sets[1:])]
        found, weights = self.attention(sets, priors)
        _, (hidden, _) = self.history(torch.stack([found[-1], *found[1:-1]], dim=1))
        answer = self.answer(torch.cat([found[0], hidden[0]], dim=1))
        return answer_alone(answer, question, tokens.shape[1], heard=weights[-1])


def last_word(question: Tensor, like: Tensor) -> Tensor:
    """Returns one at the last word of every question, `(clip, word)`."""
    place = (question != 0).sum(1).clamp(min=1) - 1
    return nn.functional.one_hot(place, question.shape[1]).to(like)


def avsd(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    width: int = 256,
    words: int = 128,
    frames: int = 4,
    attention: Callable[[Sequence[int]], nn.Module] = FactorAttention,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVSD:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `resnet18_14x14`, `music_avqa` for the published features, or another encoder.
        audio: Audio extractor: `tiny`, `vggish`, `music_avqa`, or another encoder.
        classes: Answers, with the words of the questions.
        width: Channels of everything behind the features.
        words: Channels of a word.
        frames: Frames that are looked at, evenly spaced.
        attention: Builds the attention from the widths of all sets.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = answer_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVSD(features, classes, width=width, words=words, frames=frames, attention=attention)
