r"""CMAN on audio-visual event localisation: MUCH OF IT IS A RECONSTRUCTION from published notes of the paper.

It asks where (the cosine of each position with the sound), when (self-attention over the seconds) and which (an LSTM
per modality that attends to the other, or to its own memory), and scores every label in each second.

Source: Xuan et al., *Cross-Modal Attention Network for Temporal Inconsistent Audio-Visual Event Localization*, AAAI
2020; its authors published no code. Known are the three parts in their order and most of their equations; the widths,
the softmax of the first part, the sum and the classifier of the last, the pooling of the weak form (the mean over time)
and the training (CMRAN's) are ours.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.additive import CosineAttention, weighted_tokens
from crossmodal.heads.objectives import Objective, segment_cross_entropy
from crossmodal.heads.self_attention import SegmentSelfAttention
from crossmodal.heads.sentinel import SentinelAttention
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import SegmentSystem
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


class CMAN(SegmentSystem):
    """Where, when and which, and a linear readout of both modalities."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        attention: Callable[[int, int], nn.Module] = CosineAttention,
        width: int = 256,
        which: Callable[[int], nn.Module] = SentinelAttention,
        objective: Objective = segment_cross_entropy,
    ):
        """Builds the system; the arguments are those of `cman`."""
        super().__init__(features, classes, objective)
        self.where = attention(features.visual, features.audio)
        self.visual_in, self.audio_in = nn.Linear(features.visual, width), nn.Linear(features.audio, width)
        self.visual_when, self.audio_when = SegmentSelfAttention(width), SegmentSelfAttention(width)
        self.visual_which, self.audio_which = which(width), which(width)
        self.readout = nn.Linear(2 * width, len(classes) + 1)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip segment label"]:
        """Computes the scores of every segment."""
        stream = visual.flatten(0, 1)
        attended = weighted_tokens(stream, self.where(stream, audio.flatten(0, 1))).unflatten(0, audio.shape[:2])
        seen, heard = self.visual_when(self.visual_in(attended)), self.audio_when(self.audio_in(audio))
        both = self.audio_which(heard, seen).features, self.visual_which(seen, heard).features
        return self.readout(torch.cat(both, dim=2))


def cman(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    attention: Callable[[int, int], nn.Module] = CosineAttention,
    width: int = 256,
    which: Callable[[int], nn.Module] = SentinelAttention,
    objective: Objective = segment_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> CMAN:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        attention: Builds the attention over positions from the visual and audio width.
        width: Width that both modalities are projected to.
        which: Builds the attention across modalities from `width`.
        objective: Loss of the scores; `cman_weak` has another.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return CMAN(features, classes, attention=attention, width=width, which=which, objective=objective)
