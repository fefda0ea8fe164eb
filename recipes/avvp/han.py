r"""HAN on audio-visual video parsing: hybrid attention over both modalities, and attentive pooling to the clip.

Every second attends to its own modality and to the other, in one layer with one set of weights; then each category
learns which seconds and which modality tell of it. Training knows the labels of clips alone.

Source: Tian et al., *Unified Multisensory Perception: Weakly-Supervised Audio-Visual Video Parsing*, ECCV 2020, and its
released code, whose numbers this file reproduces. Its 4.7 M parameters without a gradient are left out.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from crossmodal.checkpoints.parsing import import_han
from crossmodal.data.llp_rows import LLP_CLASSES
from crossmodal.data.world import TEXTURES
from crossmodal.heads.hybrid import HybridAttention
from crossmodal.heads.parsing import AttentivePooling, Parsed
from crossmodal.named_draws import drawn
from crossmodal.tasks.parsing_system import FeatureParser, ParsingInputs, SecondProjections, parsing_inputs
from crossmodal.tasks.settings import Settings

logger = logging.getLogger("crossmodal")

SETTINGS = Settings(
    optim={"lr": 3e-4, "decay": 0.1, "every": 10}, trainer={"max_epochs": 40}, data={"batch_size": 16}, seed=1
)
"""Published training: Adam; validation selects by segment-level Type@AV."""


class HAN(FeatureParser):
    """Hybrid attention and attentive pooling on one vector per second and modality."""

    def __init__(
        self,
        features: ParsingInputs,
        classes: Sequence[str],
        *,
        width: int = 512,
        attention: Callable[[int], nn.Module] = HybridAttention,
        pooling: Callable[[int, int], nn.Module] = AttentivePooling,
        visual_label: float = 0.9,
    ):
        """Builds the system; the arguments are those of `han`."""
        super().__init__(features, classes, visual_label=visual_label)
        self.vectors = drawn("vectors", SecondProjections, features, width)
        self.attention = drawn("attention", attention, width)
        self.pooling = drawn("pooling", pooling, width, len(classes))

    def score(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> Parsed:
        """Computes the probabilities of segments and clips."""
        heard, seen = self.vectors(tokens, audio, motion)
        parsed: Parsed = self.pooling(self.attention(heard, seen), self.attention(seen, heard))
        return parsed


def han(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    width: int = 512,
    attention: Callable[[int], nn.Module] = HybridAttention,
    pooling: Callable[[int, int], nn.Module] = AttentivePooling,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    weights: str | Path | None = None,
) -> HAN:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `llp` for the published ResNet-152 and R(2+1)D-18, or another encoder.
        audio: Audio extractor: `tiny`, `llp` for the published VGGish, or another encoder.
        classes: Names of the categories.
        width: Channels of both modalities.
        attention: Builds the attention over seconds from the width; called for both modalities.
        pooling: Builds the pooling from the width and the number of categories.
        visual_label: Share of a clip's label in its visual target; 1 does not smooth.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
        weights: The released file, `MMIL_Net.pt`, for a system on published features.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    features = parsing_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    system = HAN(features, classes, width=width, attention=attention, pooling=pooling, visual_label=visual_label)
    if weights is not None:
        logger.info("%s", import_han(system, weights))
    return system


RELEASED = partial(han, "llp", "llp", classes=LLP_CLASSES)
"""Builds the model of the released file, given `weights=`; `crossmodal avvp reproduce` runs it."""
