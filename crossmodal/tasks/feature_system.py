"""Base of systems of audio-visual event localisation that read features of frozen extractors."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from crossmodal.data import Clip, LabelledClip
from crossmodal.heads.events import DecodedEvents, decode_relevant, decode_segments
from crossmodal.heads.objectives import Objective, Supervision

from .frozen_features import FrozenFeatures
from .task import Features, SystemModule


class FeatureSystem(SystemModule):
    """Base class: a subclass adds `score(visual, audio)`, `loss` and `predict`.

    `score` takes features `(clip, segment, token, channel)` and `(clip, segment, channel)`.
    """

    def __init__(self, features: FrozenFeatures, classes: Sequence[str]):
        """Keeps what the system reads and knows.

        Args:
            features: Extractors; they are no part of the system's weights.
            classes: Names of the events; background is not counted.
        """
        super().__init__()
        self._inputs, self.classes = features.inputs, tuple(classes)

    @property
    def inputs(self) -> Features:
        """What the system reads."""
        return self._inputs

    def forward(self, batch: Clip | LabelledClip) -> Any:
        """Scores a batch whose fields `frames` and `wave` are features."""
        return self.score(batch.frames, batch.wave)

    def score(self, visual: Tensor, audio: Tensor) -> Any:
        """Scores clips given as features."""
        raise NotImplementedError(f"{type(self).__name__}: score(visual, audio) must be defined by a subclass.")


class SegmentSystem(FeatureSystem):
    """Base of systems that score every label, background included, in every segment: `(clip, segment, label)`."""

    def __init__(self, features: FrozenFeatures, classes: Sequence[str], objective: Objective):
        """Keeps the objective.

        Args:
            features: Extractors.
            classes: Names of the events.
            objective: Loss of the scores; one of `crossmodal.heads.objectives`.
        """
        super().__init__(features, classes)
        self.objective = objective

    def loss(self, outputs: Tensor, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the objective's loss."""
        return {"segments": self.objective(outputs, batch.labels)}

    def predict(self, outputs: Tensor) -> DecodedEvents:
        """Returns the most likely label of every segment."""
        return decode_segments(outputs)


class WhenAndWhat(NamedTuple):
    """Outputs of systems that say in which segments there is an event, and which one the clip shows.

    Attributes:
        relevance: Per-segment logit: is an event both audible and visible?
        event: Per-clip logits of the events; of weakly supervised systems, background is the last.
    """

    relevance: Float[Tensor, "clip segment"]
    event: Float[Tensor, "clip label"]


class RelevanceSystem(FeatureSystem):
    """Base of systems with `WhenAndWhat` outputs.

    Attributes:
        labels: Number of labels of a clip: the events, and background where the supervision is weak.
    """

    def __init__(self, features: FrozenFeatures, classes: Sequence[str], supervision: Callable[[], Supervision]):
        """Keeps the supervision.

        Args:
            features: Extractors.
            classes: Names of the events.
            supervision: Makes the loss; `FullSupervision` or `WeakSupervision`.
        """
        super().__init__(features, classes)
        self.supervision = supervision()
        self.labels = len(classes) + self.supervision.extra_labels

    def loss(self, outputs: WhenAndWhat, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the losses of the supervision."""
        return self.supervision(outputs.relevance, outputs.event, batch.labels)

    def predict(self, outputs: WhenAndWhat) -> DecodedEvents:
        """Returns the clip's most likely label where the relevance is above one half, else background."""
        return decode_relevant(outputs.relevance.sigmoid(), outputs.event, background=len(self.classes))
