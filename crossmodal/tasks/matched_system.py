"""Systems that match frames, or sounds, with the names of classes, by frozen encoders of one feature space."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.cached_from_frozen import CachedWithoutGradients
from crossmodal.data import Clip, Preprocess
from crossmodal.data.shots import ShotClip
from crossmodal.encoders.towers import DualEncoder
from crossmodal.heads.matched_clips import matched_event_loss
from crossmodal.injection import freeze
from crossmodal.prompts import ConditionalPrompts, DeepPrompts, appended_tokens, entry_of, matched

from .task import Clips, SystemModule


class Matched(NamedTuple):
    """Prediction of the tasks on names: logits of every class in every second."""

    scores: Float[Tensor, "clip segment label"]


SpokenBy = Callable[[Sequence[str]], nn.Module]
"""`names -> prompts`: builds the prompts of a system for class names."""


class MatchedSystem(SystemModule):
    """Base class: a subclass adds `score(frames, wave)`, which returns the logits `(clip, segment, label)`."""

    def __init__(self, classes: Sequence[str], preprocess: Preprocess):
        """Keeps what the system reads and knows.

        Args:
            classes: Names of the classes, background included where it is one.
            preprocess: Size, rate and normalisation of the clips.
        """
        super().__init__()
        self.classes, self.preprocess = tuple(classes), preprocess

    @property
    def inputs(self) -> Clips:
        """What the system reads."""
        return Clips(self.preprocess)

    def forward(self, batch: Clip | ShotClip) -> Matched:
        """Scores a batch of clips."""
        return Matched(self.score(batch.frames, batch.wave))

    def score(self, frames: Tensor, wave: Tensor) -> Tensor:
        """Scores clips given as tensors."""
        raise NotImplementedError(f"{type(self).__name__}: score(frames, wave) must be defined by a subclass.")

    def loss(self, outputs: Matched, batch: ShotClip) -> dict[str, Tensor]:
        """Returns the cross-entropy of every second, or of whole clips, as the batch's target has it."""
        return {"event": matched_event_loss(outputs.scores, batch.target)}

    def predict(self, outputs: Matched) -> Matched:
        """Returns the logits: whether they are read by second or by clip is the task's affair."""
        return outputs

    def probabilities(self, outputs: Matched) -> Float[Tensor, "clip segment label"]:
        """Returns the probability of every class in every second."""
        return outputs.scores.softmax(-1)


class OneTowerSystem(MatchedSystem):
    """Matches one modality with class names by a frozen dual encoder.

    Class features are computed once while nothing of them learns, and else once per evaluation.
    """

    def __init__(self, model: DualEncoder, speak: SpokenBy, *, classes: Sequence[str], preprocess: Preprocess):
        """Puts prompts beside a dual encoder.

        Args:
            model: CLIP or CLAP; frozen in place.
            speak: Builds the prompts of class names.
            classes: Names of the classes.
            preprocess: Size, rate and normalisation of the clips.
        """
        super().__init__(classes, preprocess)
        self.model, self.speak = freeze(model), speak
        self.prompts: Any = speak(classes)
        self.cache = CachedWithoutGradients()

    def use_classes(self, classes: Sequence[str]) -> None:
        """Makes the system match other names: open vocabulary.

        Args:
            classes: Names of the classes.

        Raises:
            ValueError: If the prompts belong to the classes that they were learned for.
        """
        self.prompts = spoken_of(self.prompts, self.speak(classes))
        self.classes = tuple(classes)

    def class_features(self) -> Float[Tensor, "label feature"]:
        """Computes the features of the classes, or returns those that were computed."""
        text, prompts = self.model.text, self.prompts
        both = nn.ModuleList([text, prompts])
        known = prompts, getattr(prompts, "sentences", None)
        return self.cache.get(both, lambda: prompts.class_features(text), *known)


def spoken_of(prompts: Any, other: Any) -> Any:
    """Returns prompts that speak of the classes of `other`, with the vectors that `prompts` learned, if any.

    Raises:
        ValueError: If these vectors belong to their classes.
    """
    if not hasattr(prompts, "speak_of"):
        return other
    prompts.speak_of(other.sentences)
    return prompts


class MatchedFrames(OneTowerSystem):
    """Matches frames with class names: CLIP alone, CoOp, and with an adapter of features CLIP-Adapter."""

    def __init__(
        self,
        model: DualEncoder,
        speak: SpokenBy,
        *,
        classes: Sequence[str],
        preprocess: Preprocess,
        adapter: nn.Module | None = None,
    ):
        """Puts prompts and an adapter beside a CLIP.

        Args:
            model: CLIP; frozen in place.
            speak: Builds the prompts of class names.
            classes: Names of the classes.
            preprocess: Size, rate and normalisation of the clips.
            adapter: Changes the features of frames before they are normalised; `None` leaves them.
        """
        super().__init__(model, speak, classes=classes, preprocess=preprocess)
        self.adapter = nn.Identity() if adapter is None else adapter

    def score(self, frames: Tensor, wave: Tensor) -> Tensor:
        """Scores every frame."""
        return self.match(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    def match(self, pictures: Float[Tensor, "picture 3 height width"]) -> Float[Tensor, "picture label"]:
        """Computes the logits of pictures."""
        features = self.adapter(self.picture_features(pictures))
        return matched(features, self.class_features(), self.model.scale)

    @torch.no_grad()
    def picture_features(self, pictures: Tensor) -> Tensor:
        """Computes the features of pictures, which nothing learned can change."""
        features: Tensor = self.model.tower(pictures)
        return features


class MatchedByPicture(MatchedFrames):
    """Matches frames with class names by prompts that every frame shifts: CoCoOp."""

    prompts: ConditionalPrompts

    def match(self, pictures: Float[Tensor, "picture 3 height width"]) -> Float[Tensor, "picture label"]:
        """Computes the logits of pictures; the text tower runs once per picture and class."""
        features = self.adapter(self.picture_features(pictures))
        text: Any = self.model.text
        return matched(features, self.prompts.features_for(text, features), self.model.scale)


class MatchedDeeply(MatchedFrames):
    """Matches frames with class names by prompts in the first layers of both towers: MaPLe."""

    prompts: DeepPrompts

    def match(self, pictures: Float[Tensor, "picture 3 height width"]) -> Float[Tensor, "picture label"]:
        """Computes the logits of pictures."""
        tower = self.model.tower
        stream = entry_of(tower)(tower, pictures, self.prompts.visual_tokens())
        return matched(self.adapter(tower.read(stream)), self.class_features(), self.model.scale)

    def remarks(self) -> list[str]:
        """Returns how the vectors enter the image tower, where it is not as published."""
        if entry_of(self.model.tower) is appended_tokens:
            return []
        return ["visual prompts are added to all tokens: the windows of this image tower take no further tokens"]


class MatchedSounds(OneTowerSystem):
    """Matches sounds with class names: CLAP alone."""

    def __init__(
        self,
        model: DualEncoder,
        speak: SpokenBy,
        *,
        sound: nn.Module,
        classes: Sequence[str],
        preprocess: Preprocess,
    ):
        """Puts prompts beside a CLAP.

        Args:
            model: CLAP; frozen in place.
            speak: Builds the prompts of class names.
            sound: Wave `(second, sample)` → input of the tower.
            classes: Names of the classes.
            preprocess: Size, rate and normalisation of the clips.
        """
        super().__init__(model, speak, classes=classes, preprocess=preprocess)
        self.sound = sound

    def score(self, frames: Tensor, wave: Tensor) -> Tensor:
        """Scores every second of sound."""
        with torch.no_grad():
            features = self.model.tower(self.sound(wave.flatten(0, 1)))
        return matched(features, self.class_features(), self.model.scale).unflatten(0, wave.shape[:2])
