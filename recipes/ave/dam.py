r"""DAM on audio-visual event localisation: PARTS OF IT ARE A RECONSTRUCTION from published notes of the paper.

A vector of the whole clip in one modality is matched with every second of the other, which says when; both clip vectors
together say what:

$$p_t = \tfrac12 [\sigma(\varphi^a \cdot f^v_t) + \sigma(\varphi^v \cdot f^a_t)]$$

Source: Wu et al., *Dual Attention Matching for Audio-Visual Event Localization*, ICCV 2019; its authors published no
code. Known are the equations in kind and the equal weight of both losses; the widths, the form of the attention, the
layers of the classifier and the training (CMRAN's) are ours.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data import LabelledClip
from crossmodal.data.world import COLOURS
from crossmodal.heads.additive import AdditiveAttention, weighted_tokens
from crossmodal.heads.events import DecodedEvents, class_losses, decode_relevant
from crossmodal.heads.self_attention import DualMatching
from crossmodal.precision import without_autocast
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import FeatureSystem
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 5e-4, "schedule": partial(MultiStep, epochs=200, milestones=(10, 20, 30))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.1},
    data={"batch_size": 32},
)
"""The published training is not known: CMRAN's."""
QUICK = Settings(optim={"lr": 5e-4})  # as published: the quick rate of the task is DG-SCT's


class MatchedEvents(NamedTuple):
    """Probability that a segment shows an event, and logits of the clip's events."""

    relevance: Float[Tensor, "clip segment"]
    event: Float[Tensor, "clip event"]


class DAM(FeatureSystem):
    """Attention, dual matching, and a classifier of both clip vectors."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        attention: Callable[[int, int], nn.Module] = AdditiveAttention,
        width: int = 256,
        share: float = 0.5,
    ):
        """Builds the system; the arguments are those of `dam`."""
        super().__init__(features, classes)
        self.share, self.attention = share, attention(features.visual, features.audio)
        self.visual_in, self.audio_in = nn.Linear(features.visual, width), nn.Linear(features.audio, width)
        self.matching = DualMatching(width)
        self.event = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, len(classes)))

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> MatchedEvents:
        """Computes the relevance of segments and the event of clips."""
        stream = visual.flatten(0, 1)
        attended = weighted_tokens(stream, self.attention(stream, audio.flatten(0, 1)))
        matched = self.matching(self.visual_in(attended.unflatten(0, audio.shape[:2])), self.audio_in(audio))
        return MatchedEvents(matched.relevance, self.event(torch.cat([matched.audio, matched.visual], dim=1)))

    def loss(self, outputs: MatchedEvents, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the cross-entropies of event and relevance, weighted by `share` and the rest."""
        foreground = (batch.labels != len(self.classes)).to(outputs.relevance.dtype)
        with without_autocast(outputs.relevance.device):
            relevance = F.binary_cross_entropy(outputs.relevance, foreground)
        event = class_losses({"event": outputs.event}, batch.labels)
        return {"relevance": (1 - self.share) * relevance, **{name: self.share * term for name, term in event.items()}}

    def predict(self, outputs: MatchedEvents) -> DecodedEvents:
        """Returns the clip's event where the relevance is above one half, else background."""
        return decode_relevant(outputs.relevance, outputs.event, background=len(self.classes))


def dam(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    attention: Callable[[int, int], nn.Module] = AdditiveAttention,
    width: int = 256,
    share: float = 0.5,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> DAM:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        attention: Builds the attention from the visual and audio width.
        width: Width that both modalities are projected to.
        share: Weight of the event's loss; the rest is that of the relevance. One half is the best published.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return DAM(features, classes, attention=attention, width=width, share=share)
