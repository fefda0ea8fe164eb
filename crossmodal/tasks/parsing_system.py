"""Bases of systems that parse clips: on features of frozen extractors, and on coupled encoders."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data import Preprocess
from crossmodal.data.llp import FEATURES
from crossmodal.data.parsed_clip import MovingClip, ParsedClip
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.class_groups import ParsedByGroups, class_token_losses
from crossmodal.heads.motion import motion_fusion
from crossmodal.heads.parsing import DecodedParsing, Parsed, decode_parsing, joint_probabilities, parsing_losses

from .coupled_system import CoupledSystem, Pair
from .frozen_features import frozen_features
from .task import Clips, Features, SystemModule

PUBLISHED = "llp"
"""Name of the features that LLP publishes, in the place of an extractor's."""


class ParsingInputs(NamedTuple):
    """Features that a system reads, and their widths.

    Attributes:
        inputs: Extractors; `Clips` where the data holds the features.
        visual: Channels of a visual token; in published features, a frame is a token.
        audio: Channels of the audio vector.
        motion: Channels of the motion features; 0 for none.
    """

    inputs: Clips | Features
    visual: int
    audio: int
    motion: int


def parsing_inputs(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> ParsingInputs:
    """Builds frozen extractors by name, or names the features that LLP publishes.

    Args:
        visual: `llp` for the published ResNet-152 and R(2+1)D-18; else as `frozen_features`, without motion.
        audio: `llp` for the published VGGish; else as `frozen_features`.
        visual_weights: File of weights of the visual extractor.
        audio_weights: The same of the audio extractor.

    Raises:
        ValueError: If only one of both is published, and as `frozen_features` does.
    """
    if (visual == PUBLISHED) != (audio == PUBLISHED):
        raise ValueError(
            f"parsing_inputs: visual={visual!r} and audio={audio!r} must both be {PUBLISHED!r}, or neither: published "
            "features come together."
        )
    if visual == PUBLISHED:
        widths = {kind: shape[1] for kind, shape in FEATURES.items()}
        return ParsingInputs(Clips(Preprocess()), widths["res152"], widths["vggish"], widths["r2plus1d_18"])
    found = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return ParsingInputs(found.inputs, found.visual, found.audio, 0)


def stored_features(features: ParsingInputs, classes: int, items: int) -> ParsedClip:
    """Returns a batch of zeros of the shape of LLP's published features."""
    seconds, frames = FEATURES["r2plus1d_18"][0], FEATURES["res152"][0]
    marks = torch.zeros(items, seconds, classes, dtype=torch.bool)
    audio, motion = (torch.zeros(items, seconds, width) for width in (features.audio, features.motion))
    tokens = torch.zeros(items, seconds, frames // seconds, features.visual)
    return ParsedClip(tokens, audio, motion, torch.zeros(items, classes), marks, marks)


def moving_clips(preprocess: Preprocess, motion: int, classes: int, items: int) -> ParsedClip:
    """Returns a batch of zeros of the shape of LLP's clips with their published motion features."""
    seconds, size = FEATURES["r2plus1d_18"][0], preprocess.size
    frames, wave = torch.zeros(items, seconds, 3, size, size), torch.zeros(items, seconds, preprocess.rate)
    marks = torch.zeros(items, seconds, classes, dtype=torch.bool)
    return ParsedClip(frames, wave, torch.zeros(items, seconds, motion), torch.zeros(items, classes), marks, marks)


class SecondProjections(nn.Module):
    """Projects features to one vector per second and modality, without activations: the front of HAN and MGN.

    Shapes: tokens `(clip, segment, token, visual)`, audio `(clip, segment, audio)`, motion `(clip, segment, motion)` →
    audio and visual vectors `(clip, segment, width)`.
    """

    def __init__(self, features: ParsingInputs, width: int):
        """Builds the projections.

        Args:
            features: Widths of the features.
            width: Channels of the vectors.
        """
        super().__init__()
        self.audio, self.visual = nn.Linear(features.audio, width), nn.Linear(features.visual, width)
        self.motion = motion_fusion(features.motion, width)

    def forward(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Projects the features; the mean over tokens is taken first, which a linear layer commutes with."""
        return self.audio(audio), self.motion(self.visual(tokens.mean(2)), motion)


class FeatureParser(SystemModule):
    """Base of parsing systems on features: a subclass adds `score(tokens, audio, motion)`, which returns `Parsed`."""

    def __init__(self, features: ParsingInputs, classes: Sequence[str], *, visual_label: float = 0.9):
        """Keeps what the system reads and knows.

        Args:
            features: What it reads.
            classes: Names of the categories.
            visual_label: Share of a clip's label in its visual target, as `parsing_losses` takes it.
        """
        super().__init__()
        self._inputs, self.classes, self.visual_label = features.inputs, tuple(classes), visual_label
        self.widths = features.visual, features.audio
        if isinstance(
            features.inputs, Clips
        ):  # the data holds the features: what a step costs is asked of such a batch
            self.example_batch = partial(stored_features, features, len(classes))

    @property
    def inputs(self) -> Clips | Features:
        """What the system reads."""
        return self._inputs

    def forward(self, batch: MovingClip | ParsedClip) -> Parsed | ParsedByGroups:
        """Scores a batch whose fields `frames` and `wave` are features.

        Raises:
            ValueError: If they are none, or of other widths.
        """
        found = tuple(part.shape[-1] for part in (batch.frames, batch.wave))
        if batch.frames.ndim != 4 or found != self.widths:
            raise ValueError(
                f"{type(self).__name__}: the batch has frames of shape {tuple(batch.frames.shape)} and wave of shape "
                f"{tuple(batch.wave.shape)}, expected features (clip, segment, token, {self.widths[0]}) and (clip, "
                f"segment, {self.widths[1]}): for published features give --data.features and --model.visual llp "
                "--model.audio llp."
            )
        return self.score(batch.frames, batch.wave, batch.motion)

    def score(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> Parsed | ParsedByGroups:
        """Scores clips given as features."""
        raise NotImplementedError(f"{type(self).__name__}: score(tokens, audio, motion) must be defined by a subclass.")

    def loss(self, outputs: Parsed | ParsedByGroups, batch: ParsedClip) -> dict[str, Tensor]:
        """Returns the cross-entropies against the clips' labels, and those of class tokens where there are any."""
        return losses_of(outputs, batch, self.visual_label)

    def predict(self, outputs: Parsed | ParsedByGroups) -> DecodedParsing:
        """Returns what is heard and seen in every second."""
        return decode_parsing(parsed_of(outputs))

    def probabilities(self, outputs: Parsed | ParsedByGroups) -> Float[Tensor, "clip segment label"]:
        """Returns the probability that a category is heard and seen at once and, last, that none is."""
        return joint_probabilities(parsed_of(outputs))


class CoupledParser(CoupledSystem):
    """Coupled encoders whose pooled streams gate each other over time, and a parsing head."""

    def __init__(
        self,
        pair: Pair,
        *,
        width: int,
        motion: int,
        gates: nn.Module,
        head: nn.Module,
        classes: Sequence[str],
        pool: PoolFactory = MapPooling,
        visual_label: float = 0.9,
    ):
        """Puts the heads on a pair of encoders.

        Args:
            pair: Coupled encoders, as `coupled_pair` builds them.
            width: Channels that both modalities are projected to.
            motion: Channels of motion features beside the frames; 0 for none.
            gates: `(visual, audio) -> (visual, audio)`, on `(clip, segment, width)`.
            head: `(audio, visual) -> ParsedByGroups` or `Parsed`.
            classes: Names of the categories.
            pool: Builds the pooling of a stream, as `CoupledSystem` takes it.
            visual_label: Share of a clip's label in its visual target, as `parsing_losses` takes it.
        """
        super().__init__(pair, classes=classes, pool=pool)
        self.visual_in, self.audio_in = (nn.Linear(channels, width) for channels in pair.widths)
        self.motion_width, self.motion = motion, motion_fusion(motion, width)
        self.gates, self.head, self.visual_label = gates, head, visual_label
        if motion:  # the default source's clips have none: what a step costs is asked of such a batch
            self.example_batch = partial(moving_clips, pair.preprocess, motion, len(classes))

    def forward(
        self, batch: MovingClip | ParsedClip, *, present: Mapping[str, Tensor] | None = None
    ) -> Parsed | ParsedByGroups:
        """Scores a batch of clips.

        Args:
            batch: Clips.
            present: `"visual"` or `"audio"` → `(clip,)`, which clips have it, where some lack it.

        Raises:
            ValueError: If the clips lack motion features that the system reads.
        """
        if self.motion_width and batch.motion.shape[2] != self.motion_width:
            raise ValueError(
                f"{type(self).__name__}: the clips have motion features of width {batch.motion.shape[2]}, but the "
                f"system was built with motion={self.motion_width}: `avvp prepare --motion WEIGHTS` puts them into "
                "feats/r2plus1d_18/ of a data set, `avvp predict --motion WEIGHTS` makes them of a film; motion=0 "
                "builds the system without."
            )
        return self.score(*self.pool(batch.frames, batch.wave, present=present), batch.motion)

    def score(self, visual: Tensor, audio: Tensor, motion: Tensor) -> Parsed | ParsedByGroups:
        """Scores clips given by the pooled streams of both encoders, `(clip, segment, channel)`."""
        seen, heard = self.gates(self.visual_in(visual), self.audio_in(audio))
        return self.head(heard, self.motion(seen, motion))

    def loss(self, outputs: Parsed | ParsedByGroups, batch: ParsedClip) -> dict[str, Tensor]:
        """Returns the cross-entropies against the clips' labels, and those of class tokens where there are any."""
        return losses_of(outputs, batch, self.visual_label)

    def predict(self, outputs: Parsed | ParsedByGroups) -> DecodedParsing:
        """Returns what is heard and seen in every second."""
        return decode_parsing(parsed_of(outputs))

    def probabilities(self, outputs: Parsed | ParsedByGroups) -> Float[Tensor, "clip segment label"]:
        """Returns the probability that a category is heard and seen at once and, last, that none is."""
        return joint_probabilities(parsed_of(outputs))


def parsed_of(outputs: Parsed | ParsedByGroups) -> Parsed:
    """Returns the probabilities among the outputs of any parsing head."""
    return outputs.parsed if isinstance(outputs, ParsedByGroups) else outputs


def losses_of(outputs: Parsed | ParsedByGroups, batch: ParsedClip, visual_label: float) -> dict[str, Tensor]:
    """Returns the loss terms of any parsing head."""
    tokens = class_token_losses(outputs) if isinstance(outputs, ParsedByGroups) else {}
    return {**parsing_losses(parsed_of(outputs), batch.present, visual_label=visual_label), **tokens}
