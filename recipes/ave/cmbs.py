r"""CMBS on audio-visual event localisation.

CMRAN's blocks, a visual attention, LSTMs, gates by which each modality amplifies the other, and class activations.

Source: Xia and Zhao, *Cross-modal Background Suppression for Audio-Visual Event Localization*, CVPR 2022, and its
released code, whose numbers this file reproduces. In the code the second interaction reads the result of the first, and
the loss of the gate squashes it again: `gate_loss=F.binary_cross_entropy_with_logits`. It selects weights on the test
split (`--data.validation test`). Its unused parameters, 32 %, do not exist here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data import LabelledClip
from crossmodal.data.world import COLOURS
from crossmodal.heads.cross_encoding import CrossEncoding
from crossmodal.heads.events import DecodedEvents, Events, decode_events, event_losses, top_activation
from crossmodal.heads.fusion import LSTMPair
from crossmodal.heads.guided_pooling import SelfGuidedPooling
from crossmodal.heads.suppression import ChainedInteraction, GatedByOther
from crossmodal.shapes import shaped
from crossmodal.tasks.event_system import GateLoss
from crossmodal.tasks.feature_system import FeatureSystem
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 7e-4, "schedule": partial(MultiStep, epochs=200, milestones=(10, 20, 30))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.5},
    data={"batch_size": 64},
    seed=43,
)
"""Published training, Adam; the released code runs it in float64."""
QUICK = Settings(optim={"lr": 7e-4})  # as published: the quick rate of the task is DG-SCT's


class CMBS(FeatureSystem):
    """Pooling, LSTMs, coding across modalities, gates, activations and two interactions."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        width: int,
        gamma: float,
        pooling: Callable[[int, int], nn.Module],
        gates: Callable[[int], nn.Module],
        gate_loss: GateLoss,
    ):
        """Builds the system; the arguments are those of `cmbs`."""
        super().__init__(features, classes)
        self.gamma, self.gate_loss = gamma, gate_loss
        self.visual_in = nn.Sequential(nn.Linear(features.visual, 2 * width), nn.ReLU(), nn.Dropout(0.2))
        self.pooling = pooling(2 * width, features.audio)
        self.sequences = LSTMPair(2 * width, features.audio, visual_hidden=width, audio_hidden=width // 2)
        self.encoding = CrossEncoding(2 * width, width, width, encoder_hidden=4 * width, decoder_hidden=4 * width)
        self.gates, self.interaction = gates(width), ChainedInteraction(width)
        self.visual_activation, self.audio_activation = (nn.Linear(width, len(classes)) for _ in range(2))
        self.relevance, self.event = nn.Linear(width, 1), nn.Linear(width, len(classes))

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Events:
        """Computes the scores of clips."""
        pooled = self.pooling(self.visual_in(visual.flatten(0, 1)), audio.flatten(0, 1)).unflatten(0, audio.shape[:2])
        seen, heard, gate = self.gates(self.encoding(self.sequences.visual(pooled), self.sequences.audio(audio)))
        activation = (top_activation(self.visual_activation(seen)) + top_activation(self.audio_activation(heard))) / 2
        fused = self.interaction(seen, heard)
        event = self.event(fused.amax(1)) + self.gamma * activation
        return Events(self.relevance(fused).squeeze(2), event, activation, gate)

    def loss(self, outputs: Events, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the four cross-entropies."""
        of_gate = self.gate_loss if self.training else F.binary_cross_entropy
        return event_losses(outputs, batch.labels, gate_loss=of_gate)

    def predict(self, outputs: Events) -> DecodedEvents:
        """Returns the event, or background, of every segment."""
        return decode_events(outputs)


def cmbs(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    width: int = 256,
    gamma: float = 0.3,
    pooling: Callable[[int, int], nn.Module] = SelfGuidedPooling,
    gates: Callable[[int], nn.Module] = GatedByOther,
    gate_loss: GateLoss = F.binary_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> CMBS:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        width: Width of keys and queries; visual tokens are projected to twice that.
        gamma: Weight of the activations in the event logits.
        pooling: Builds the pooling from the visual and audio width.
        gates: Builds the gates from `width`.
        gate_loss: Loss of the gate in training.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return CMBS(features, classes, width=width, gamma=gamma, pooling=pooling, gates=gates, gate_loss=gate_loss)
