"""The grounding stage of systems that answer questions: does a sound belong to a frame?

It trains the projection of sounds, the grounding and the match head on frames and sounds of the own clip and frames of
other clips, before any question is asked; the encoders stay frozen, and nothing guides them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.asked_clip import AskedClip
from crossmodal.data.asking_sources import AskedWorldSource, MusicAVQASource
from crossmodal.data.source import Source
from crossmodal.heads.grounding import match_loss
from crossmodal.injection import Encoder
from crossmodal.metrics import segment_metric

from .answer_system import CoupledAnswerer, FeatureAnswerer
from .settings import Settings
from .stages import TrainingStage
from .task import Clips, Features, Scores, SystemModule


class Matches(NamedTuple):
    """Logits of no and yes: of frames of the own clip, and of other clips."""

    right: Float[Tensor, "frame 2"]
    wrong: Float[Tensor, "frame 2"]


class SoundMatching(SystemModule):
    """Matches sounds with frames; it shares its modules with a system that answers."""

    classes: tuple[str, ...] = ("another clip", "its own")

    def __init__(
        self, system: CoupledAnswerer | FeatureAnswerer, grounder: nn.Module, tokens: nn.Module, vectors: nn.Module
    ):
        """Shares what is trained.

        Args:
            system: Says what is read.
            grounder: `SoundGrounding` of the system's head.
            tokens: Frames `(frame, …)` → tokens of the grounder's width.
            vectors: Waves `(frame, …)` → vectors.
        """
        super().__init__()
        self._inputs = system.inputs
        self.grounder, self.tokens, self.vectors = grounder, tokens, vectors

    @property
    def inputs(self) -> Clips | Features:
        """What is read."""
        return self._inputs

    @property
    def not_trained(self) -> tuple[nn.Module, ...]:
        """Encoders, which run without gradient here; parts of them may learn when questions are asked."""
        return tuple(module for module in self.modules() if isinstance(module, Encoder))

    def forward(self, batch: AskedClip) -> Matches:
        """Matches every second of the clips of a batch."""
        audio = self.vectors(batch.wave.flatten(0, 1))
        seen = (self.tokens(frames.flatten(0, 1)) for frames in (batch.frames, batch.others))
        return Matches(*(self.grounder(tokens, audio).match for tokens in seen))

    def loss(self, outputs: Matches, batch: AskedClip) -> dict[str, Tensor]:
        """Returns the cross-entropy of the matches."""
        return {"match": match_loss(*outputs)}

    def predict(self, outputs: Matches) -> Tensor:
        """Returns whether sounds and frames match, those of the own clip first."""
        return torch.cat(outputs).argmax(1, keepdim=True)


class MatchScores:
    """Scores a matching by the share of right matches; one half is chance."""

    monitor = "accuracy"

    def scores(self) -> Scores:
        """Returns a new counter."""
        return segment_metric(read=_matches)


class PlainTokens(nn.Module):
    """Computes tokens by a frozen visual encoder that nothing guides, and projects them."""

    def __init__(self, encoder: Encoder, project: nn.Module):
        """Keeps both.

        Args:
            encoder: The encoder.
            project: Tokens → tokens of the head's width.
        """
        super().__init__()
        self.encoder, self.project = encoder, project

    def forward(self, frames: Tensor) -> Tensor:
        """Computes the tokens."""
        with torch.no_grad():
            tokens = self.encoder(frames)
        found: Tensor = self.project(tokens)
        return found


class PlainVectors(nn.Module):
    """Computes the mean token of a frozen audio encoder that nothing guides, before its last norm."""

    def __init__(self, encoder: Encoder, sound: nn.Module):
        """Keeps both.

        Args:
            encoder: The encoder.
            sound: Waves → input of the encoder.
        """
        super().__init__()
        self.encoder, self.sound = encoder, sound

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Computes the vectors."""
        stream: Tensor = self.encoder.stem(self.sound(wave))
        for name in self.encoder.names:
            stream = self.encoder.section(name)(stream)
        return stream.mean(1)


def matching_of_clips(system: CoupledAnswerer) -> SoundMatching:
    """Returns the matching that shares encoders and grounding with a system of coupled encoders."""
    tokens = PlainTokens(system.coupled.encoder("visual"), system.project)
    vectors = PlainVectors(system.coupled.encoder("audio"), system.sound)
    return SoundMatching(system, system.head.get_submodule("grounder"), tokens, vectors)


def matching_of_features(system: FeatureAnswerer) -> SoundMatching:
    """Returns the matching that shares the projection of tokens and the grounding with a system on features."""
    return SoundMatching(system, system.get_submodule("head.grounder"), system.get_submodule("project"), nn.Identity())


def for_grounding(source: Source) -> Source:
    """Returns the source of real videos, where some are made up, and of a world's clips, once each.

    Made-up videos have sounds that do not belong to them.
    """
    return source.for_grounding() if isinstance(source, MusicAVQASource | AskedWorldSource) else source


QUICK = Settings(optim={"lr": 1e-3, "decay": 0.5, "every": 1}, trainer={"max_epochs": 2}, data={"batch_size": 8})


def grounding_stage(part: Callable[[Any], SoundMatching], settings: Settings) -> TrainingStage:
    """Returns the stage `grounding` of a system.

    Args:
        part: `matching_of_clips` or `matching_of_features`.
        settings: Published training; a clip is ten pairs of the published batches.
    """
    return TrainingStage("grounding", part, MatchScores(), settings, QUICK, for_grounding)


def _matches(prediction: Tensor, batch: AskedClip) -> tuple[Tensor, Tensor]:
    """Returns predicted and true matches."""
    half = len(prediction) // 2
    return prediction, (torch.arange(len(prediction), device=prediction.device) < half).long()[:, None]
