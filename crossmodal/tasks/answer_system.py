"""Bases of systems that answer questions: on features of frozen extractors, and on coupled encoders."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data import Preprocess
from crossmodal.data.asked_clip import AskedClip, AskingClip
from crossmodal.data.music_avqa import FEATURES, SEGMENTS
from crossmodal.data.questions import LENGTH
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.answers import Answers, DecodedAnswers, answer_losses, decode_answers

from .coupled_system import CoupledSystem, Pair
from .frozen_features import frozen_features
from .same_clips import different_items, read_each, read_once
from .task import Clips, Features, SystemModule

PUBLISHED = "music_avqa"
"""Name of the features that MUSIC-AVQA publishes, in the place of an extractor's."""


class AnswerInputs(NamedTuple):
    """Features that a system reads, and their widths.

    Attributes:
        inputs: Extractors; `Clips` where the data holds the features.
        visual: Channels of a visual token.
        audio: Channels of the audio vector.
        tokens: Visual tokens of a segment.
    """

    inputs: Clips | Features
    visual: int
    audio: int
    tokens: int


def answer_inputs(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AnswerInputs:
    """Builds frozen extractors by name, or names the features that MUSIC-AVQA publishes.

    Args:
        visual: `resnet18_14x14` (published), `music_avqa` for the published features themselves, `tiny`, or another
            encoder.
        audio: `vggish` (published), `music_avqa`, `tiny`, or another encoder.
        visual_weights: File of weights of the visual extractor.
        audio_weights: The same of the audio extractor.

    Raises:
        ValueError: If only one of both is published, and as `frozen_features` does.
    """
    if (visual == PUBLISHED) != (audio == PUBLISHED):
        raise ValueError(
            f"answer_inputs: visual={visual!r} and audio={audio!r} must both be {PUBLISHED!r}, or neither: published "
            "features come together."
        )
    if visual == PUBLISHED:
        _, channels, rows, columns = FEATURES["res18_14x14"]
        return AnswerInputs(Clips(Preprocess()), channels, FEATURES["vggish"][1], rows * columns)
    found = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AnswerInputs(*found)


def stored_questions(features: AnswerInputs, items: int) -> AskedClip:
    """Returns a batch of zeros of the shape of MUSIC-AVQA's published features."""
    tokens = torch.zeros(items, SEGMENTS, features.tokens, features.visual)
    nothing, question = torch.zeros(items, dtype=torch.int64), torch.zeros(items, LENGTH, dtype=torch.int64)
    return AskedClip(tokens, torch.zeros(items, SEGMENTS, features.audio), tokens, question, nothing, nothing)


class AnsweringSystem(SystemModule):
    """Base of systems that answer by `Answers`: their loss and their prediction."""

    def loss(self, outputs: Answers, batch: AskedClip) -> dict[str, Tensor]:
        """Returns the cross-entropies of answers and, where sounds are matched, of matches."""
        return answer_losses(outputs, batch.answer)

    def predict(self, outputs: Answers) -> DecodedAnswers:
        """Returns the likeliest answers."""
        return decode_answers(outputs)

    def probabilities(self, outputs: Answers) -> Float[Tensor, "clip 1 answer"]:
        """Returns the probability of every answer."""
        return outputs.answer.softmax(1)[:, None]


class FeatureAnswerer(AnsweringSystem):
    """Base of systems on features: a subclass adds `score(tokens, others, audio, question)`, which returns `Answers`.

    `others` is `None` where a clip is only asked.
    """

    def __init__(self, features: AnswerInputs, classes: Sequence[str]):
        """Keeps what the system reads and knows.

        Args:
            features: What it reads.
            classes: Answers, with the words of the questions.
        """
        super().__init__()
        self._inputs, self.classes = features.inputs, classes  # type: ignore[assignment]  # a Vocabulary is a tuple
        self.widths = features.visual, features.audio
        if isinstance(features.inputs, Clips):  # the data holds the features: the cost is asked of such a batch
            self.example_batch = partial(stored_questions, features)

    @property
    def inputs(self) -> Clips | Features:
        """What the system reads."""
        return self._inputs

    def forward(self, batch: AskingClip | AskedClip) -> Answers:
        """Answers a batch whose fields `frames`, `others` and `wave` are features.

        Raises:
            ValueError: If they are none, or of other widths.
        """
        found = tuple(part.shape[-1] for part in (batch.frames, batch.wave))
        if batch.frames.ndim != 4 or found != self.widths:
            raise ValueError(
                f"{type(self).__name__}: the batch has frames of shape {tuple(batch.frames.shape)} and wave of shape "
                f"{tuple(batch.wave.shape)}, expected features (clip, segment, token, {self.widths[0]}) and (clip, "
                f"segment, {self.widths[1]}): for published features give --data.features and --model.visual "
                f"{PUBLISHED} --model.audio {PUBLISHED}."
            )
        return self.score(batch.frames, getattr(batch, "others", None), batch.wave, batch.question)

    def score(self, tokens: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions about clips given as features."""
        raise NotImplementedError(
            f"{type(self).__name__}: score(tokens, others, audio, question) must be defined by a subclass."
        )


class CoupledAnswerer(CoupledSystem):
    """Coupled encoders and a head that answers: frames stay streams of tokens, sounds are pooled.

    Frames of other clips go through the plain frozen visual encoder: nothing guides them, and nothing learns from them.
    """

    def __init__(
        self,
        pair: Pair,
        *,
        head: nn.Module,
        project: nn.Module,
        classes: Sequence[str],
        pool: PoolFactory = MapPooling,
        share_clips: bool = False,
    ):
        """Puts the head on a pair of encoders.

        Args:
            pair: Coupled encoders, as `coupled_pair` builds them.
            head: `(stream, others, audio, question) -> Answers`, such as `GroundedAnswers`.
            project: Visual tokens → tokens of the head's width.
            classes: Answers, with the words of the questions.
            pool: Builds the pooling of a stream, as `CoupledSystem` takes it.
            share_clips: Whether questions about one clip run the encoders once in training, too. Published systems read
                a clip for every question; a batch norm counts it as often.
        """
        super().__init__(pair, classes=classes, pool=pool)
        self.share_clips = share_clips
        self.classes = classes  # type: ignore[assignment]  # a Vocabulary is a tuple, and keeps its words
        self.head, self.project = head, project

    def forward(self, batch: AskingClip | AskedClip) -> Answers:
        """Answers a batch; outside training, or with `share_clips`, questions about one clip run the encoders once."""
        # by default not in training: a batch norm would see other statistics
        read = read_each if self.training and not self.share_clips else read_once
        frames, wave, place = read(batch.frames, batch.wave)
        coupled = self.run(frames, wave)
        stream = self._final("visual", coupled.streams["visual"]).unflatten(0, frames.shape[:2])
        others = getattr(batch, "others", None)
        away = None if others is None else self.project(self.plain_tokens(others))
        audio = self.pool_streams(coupled, frames.shape[0]).audio
        answers: Answers = self.head(self.project(stream)[place], away, audio[place], batch.question)
        return answers

    @torch.no_grad()
    def plain_tokens(self, frames: Tensor) -> Tensor:
        """Computes the tokens of frames without any guide, `(clip, segment, token, width)`."""
        different = different_items(frames)  # frozen, and without a guide: no item changes another
        shown = frames if different is None else frames[different.kept]
        found: Tensor = self.coupled.encoder("visual")(shown.flatten(0, 1))
        tokens = found.unflatten(0, shown.shape[:2])
        return tokens if different is None else tokens[different.place]

    def loss(self, outputs: Answers, batch: AskedClip) -> dict[str, Tensor]:
        """Returns the cross-entropies of answers and of matches."""
        return answer_losses(outputs, batch.answer)

    def predict(self, outputs: Answers) -> DecodedAnswers:
        """Returns the likeliest answers."""
        return decode_answers(outputs)

    def probabilities(self, outputs: Answers) -> Float[Tensor, "clip 1 answer"]:
        """Returns the probability of every answer."""
        return outputs.answer.softmax(1)[:, None]
