r"""CMBS on audio-visual event localisation, weakly supervised.

No LSTMs; each modality is gated by its own keys, $Q \leftarrow (1 - \alpha) Q + \alpha g Q$; class gates of both
modalities weigh the scores of the fused sequence, and the label of a clip is the mean of its four best seconds.

Source: the weak form of the released code of Xia and Zhao, CVPR 2022, whose numbers this file reproduces. Its decoding
applies a sigmoid to the gate, a mean of two sigmoids already, so that every second counts as an event: the published
number is that of a clip classifier. Here the gate itself is compared with one half; `decoded_gate=squashed_gate` does
as published. The published loss is `objective=clip_margin`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data import LabelledClip
from crossmodal.data.world import COLOURS
from crossmodal.heads.cross_encoding import CrossEncoding
from crossmodal.heads.events import DecodedEvents, decode_relevant, top_activation
from crossmodal.heads.guided_pooling import SelfGuidedPooling
from crossmodal.heads.objectives import Objective, clip_cross_entropy
from crossmodal.heads.suppression import ChainedInteraction, GatedByOwn, gate_itself
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import FeatureSystem
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 6e-4, "schedule": partial(MultiStep, epochs=200, milestones=(10, 20, 40))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.5},
    data={"batch_size": 64},
    seed=666,
)
"""Published training, Adam."""
QUICK = Settings(optim={"lr": 6e-4})  # as published: the quick rate of the task is DG-SCT's


class GatedEvents(NamedTuple):
    """Gate of every segment, in (0, 1), and logits of the clip's labels, background last."""

    gate: Float[Tensor, "clip segment"]
    event: Float[Tensor, "clip label"]


class WeakCMBS(FeatureSystem):
    """Pooling, coding across modalities, gates, class gates and two interactions."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        width: int,
        gamma: float,
        objective: Objective,
        decoded_gate: Callable[[Tensor], Tensor],
    ):
        """Builds the system; the arguments are those of `cmbs_weak`."""
        super().__init__(features, classes)
        self.gamma, self.objective, self.decoded_gate = gamma, objective, decoded_gate
        self.visual_in = nn.Sequential(nn.Linear(features.visual, 2 * width), nn.ReLU(), nn.Dropout(0.1))
        self.pooling = SelfGuidedPooling(2 * width, features.audio, beta=0.5)
        self.encoding = CrossEncoding(2 * width, features.audio, width, decoder_hidden=4 * width)
        self.gates, self.interaction = GatedByOwn(width), ChainedInteraction(width, heads=2)
        self.visual_activation, self.audio_activation = (nn.Linear(width, len(classes) + 1) for _ in range(2))
        self.event = nn.Linear(width, len(classes) + 1, bias=False)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> GatedEvents:
        """Computes the gates of segments and the labels of clips."""
        pooled = self.pooling(self.visual_in(visual.flatten(0, 1)), audio.flatten(0, 1))
        seen, heard, gate = self.gates(self.encoding(pooled.unflatten(0, audio.shape[:2]), audio))
        weight = self.visual_activation(seen).sigmoid() + self.audio_activation(heard).sigmoid()
        return GatedEvents(gate, top_activation(self.gamma * weight * self.event(self.interaction(seen, heard))))

    def loss(self, outputs: GatedEvents, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the objective's loss of the clip's logits, weighed by the gate of every segment."""
        return {"clip": self.objective(outputs.gate[:, :, None] * outputs.event[:, None], batch.labels)}

    def predict(self, outputs: GatedEvents) -> DecodedEvents:
        """Returns the clip's label where the gate is above one half, else background."""
        return decode_relevant(self.decoded_gate(outputs.gate), outputs.event, background=len(self.classes))


def cmbs_weak(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    width: int = 256,
    gamma: float = 0.5,
    objective: Objective = clip_cross_entropy,
    decoded_gate: Callable[[Tensor], Tensor] = gate_itself,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> WeakCMBS:
    """Builds the system on features of two frozen extractors; the other arguments are those of `cmbs`.

    Args:
        visual: Visual extractor.
        audio: Audio extractor.
        classes: Names of the events; background is not counted.
        width: Width of keys and queries; visual tokens are projected to twice that.
        gamma: Weight of the class gates.
        objective: Loss of the scores.
        decoded_gate: What is compared with one half; `squashed_gate` is the published slip.
        visual_weights: File of weights of the visual extractor.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return WeakCMBS(features, classes, width=width, gamma=gamma, objective=objective, decoded_gate=decoded_gate)
