r"""MGN on audio-visual video parsing: one token per category and modality gathers the seconds that belong to it.

Source: Mo and Tian, *Multi-modal Grouping Network for Weakly-Supervised Audio-Visual Video Parsing*, NeurIPS 2022, and
its released code, whose numbers this file reproduces. It hardly predicts the extent of an event:
`crossmodal.heads.class_groups.OnePlusSoftmax` says why. The paper multiplies by the assignment itself, which
no loss trains: `head=partial(ClassGroups, extent=AsAssigned)`.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from crossmodal.checkpoints.parsing import import_mgn
from crossmodal.data.llp_rows import LLP_CLASSES
from crossmodal.data.world import TEXTURES
from crossmodal.heads.class_groups import ClassGroups, ParsedByGroups, small_normal
from crossmodal.named_draws import drawn
from crossmodal.tasks.parsing_system import FeatureParser, ParsingInputs, SecondProjections, parsing_inputs
from crossmodal.tasks.settings import Settings

logger = logging.getLogger("crossmodal")

SETTINGS = Settings(
    optim={"lr": 3e-4, "decay": 0.1, "every": 10}, trainer={"max_epochs": 40}, data={"batch_size": 16}, seed=1
)
"""Published training: Adam; validation selects by segment-level Type@AV."""


class MGN(FeatureParser):
    """Class-aware grouping on one vector per second and modality."""

    def __init__(
        self,
        features: ParsingInputs,
        classes: Sequence[str],
        *,
        width: int = 128,
        head: Callable[[int, int], nn.Module] = ClassGroups,
        visual_label: float = 0.9,
    ):
        """Builds the system; the arguments are those of `mgn`."""
        super().__init__(features, classes, visual_label=visual_label)
        self.vectors = drawn("vectors", SecondProjections, features, width).apply(small_normal)
        self.head = drawn("head", head, width, len(classes))

    def score(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> ParsedByGroups:
        """Computes the probabilities of segments and clips."""
        parsed: ParsedByGroups = self.head(*self.vectors(tokens, audio, motion))
        return parsed


def mgn(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    width: int = 128,
    head: Callable[[int, int], nn.Module] = ClassGroups,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    weights: str | Path | None = None,
) -> MGN:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `llp` for the published ResNet-152 and R(2+1)D-18, or another encoder.
        audio: Audio extractor: `tiny`, `llp` for the published VGGish, or another encoder.
        classes: Names of the categories.
        width: Channels of both modalities.
        head: Builds the parsing head from the width and the number of categories.
        visual_label: Share of a clip's label in its visual target; 1 does not smooth.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
        weights: The released file, `MGN_Net.pt`, for a system on published features.

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    features = parsing_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    system = MGN(features, classes, width=width, head=head, visual_label=visual_label)
    if weights is not None:
        logger.info("%s", import_mgn(system, weights))
    return system


RELEASED = partial(mgn, "llp", "llp", classes=LLP_CLASSES)
"""Builds the model of the released file, given `weights=`; `crossmodal avvp reproduce` runs it."""
