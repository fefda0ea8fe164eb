r"""CMRAN on audio-visual event localisation.

The sound scales the channels of the visual map and weighs its positions; each modality is encoded by self-attention
and decoded with the other's keys; the product of both queries attends to both, and says when and what:

$$f = \mathrm{LN}(q + \mathrm{MHA}(q, m, m)), \quad q = Q_v \odot Q_a, \quad m = [Q_a, Q_v]$$

Source: Xu et al., *Cross-Modal Relation-Aware Networks for Audio-Visual Event Localization*, ACM MM 2020, and its
released code, whose numbers this file reproduces. The code selects weights on the test split (`--data.validation test`)
and keeps templates of its layers, 40 % of its parameters, which nothing reads: they do not exist here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.cross_encoding import CrossEncoding, ProductInteraction
from crossmodal.heads.guided_pooling import GuidedPooling
from crossmodal.heads.objectives import FullSupervision, Supervision
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import RelevanceSystem, WhenAndWhat
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 5e-4, "schedule": partial(MultiStep, epochs=200, milestones=(10, 20, 30))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.1},
    data={"batch_size": 32},
    seed=456,
)
"""Published training, Adam; the released code runs it in float64."""
QUICK = Settings(optim={"lr": 5e-4})  # as published: the quick rate of the task is DG-SCT's


class CMRAN(RelevanceSystem):
    """Guided pooling, encoders and decoders across modalities, their interaction, and a head for when and what."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        width: int = 256,
        encoding: Callable[[int, int, int], nn.Module] = CrossEncoding,
        interaction: Callable[[int], nn.Module] = ProductInteraction,
        supervision: Callable[[], Supervision] = FullSupervision,
    ):
        """Builds the system; the arguments are those of `cmran`."""
        super().__init__(features, classes, supervision)
        self.visual_in = nn.Sequential(nn.Linear(features.visual, 2 * width), nn.ReLU(), nn.Dropout(0.2))
        self.pooling = GuidedPooling(2 * width, features.audio)
        self.encoding = encoding(2 * width, features.audio, width)
        self.interaction = interaction(width)
        self.relevance, self.event = nn.Linear(width, 1), nn.Linear(width, self.labels)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> WhenAndWhat:
        """Computes the relevance of segments and the event of clips."""
        pooled = self.pooling(self.visual_in(visual.flatten(0, 1)), audio.flatten(0, 1))
        encoded = self.encoding(pooled.unflatten(0, audio.shape[:2]), audio)
        fused = self.interaction(encoded.audio_query, encoded.visual_query)
        return WhenAndWhat(self.relevance(fused).squeeze(2), self.event(fused.amax(1)))


def cmran(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    width: int = 256,
    encoding: Callable[[int, int, int], nn.Module] = CrossEncoding,
    interaction: Callable[[int], nn.Module] = ProductInteraction,
    supervision: Callable[[], Supervision] = FullSupervision,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> CMRAN:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        width: Width of keys and queries; visual tokens are projected to twice that.
        encoding: Builds encoders and decoders from the visual and audio width and `width`.
        interaction: Builds the interaction from `width`.
        supervision: Makes the loss: by every second, or by the clip alone.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return CMRAN(features, classes, width=width, encoding=encoding, interaction=interaction, supervision=supervision)
