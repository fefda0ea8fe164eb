r"""AVEL with audio-guided attention on audio-visual event localisation.

The sound of every second weighs the positions of its visual map; an LSTM per modality reads the seconds, and a small
head scores every label in each:

$$x_t = \sum_p w_p v_{t,p}, \quad s = [\mathrm{LSTM}_a(a), \mathrm{LSTM}_v(x)], \quad
y_t = W_2\,\mathrm{relu}(W_1\,\mathrm{relu}\, s_t)$$

Source: Tian et al., *Audio-Visual Event Localization in Unconstrained Videos*, ECCV 2018, and its released code, whose
numbers this file reproduces. The code differs from the paper in two points, which are keywords here:
`attention=partial(AdditiveAttention, add=per_position)` adds the sound by position (7×7 maps only), and
`objective=segment_margin` squashes the probabilities a second time. It trains on batches sorted by class; here they are
shuffled.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.additive import AdditiveAttention, weighted_tokens
from crossmodal.heads.fusion import LSTMPair
from crossmodal.heads.objectives import Objective, segment_cross_entropy
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import SegmentSystem
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(
    optim={"lr": 1e-3, "decay": 0.1, "every": 288}, trainer={"max_epochs": 300}, data={"batch_size": 64}
)
"""Published training: Adam; the rate falls after 15,000 steps of 52 an epoch, so for the last 12 epochs."""
QUICK = Settings(optim={"lr": 1e-3})  # as published: the quick rate of the task is DG-SCT's


class AVEL(SegmentSystem):
    """Audio-guided attention, an LSTM per modality, and a head on both."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        attention: Callable[[int, int], nn.Module] = AdditiveAttention,
        hidden: int = 128,
        units: int = 64,
        objective: Objective = segment_cross_entropy,
    ):
        """Builds the system; the arguments are those of `avel`."""
        super().__init__(features, classes, objective)
        self.attention = attention(features.visual, features.audio)
        self.sequences = LSTMPair(features.visual, features.audio, visual_hidden=hidden, audio_hidden=hidden)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Linear(4 * hidden, units), nn.ReLU(), nn.Linear(units, len(classes) + 1)
        )
        for part in (self.attention, self.head):
            part.apply(xavier)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip segment label"]:
        """Computes the scores of every segment."""
        stream = visual.flatten(0, 1)
        attended = weighted_tokens(stream, self.attention(stream, audio.flatten(0, 1)))
        return self.head(self.sequences(attended.unflatten(0, audio.shape[:2]), audio))


def xavier(part: nn.Module) -> None:
    """Draws the weights of a linear layer as Glorot and Bengio do."""
    if isinstance(part, nn.Linear):
        torch.nn.init.xavier_uniform_(part.weight)


def avel(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    attention: Callable[[int, int], nn.Module] = AdditiveAttention,
    hidden: int = 128,
    units: int = 64,
    objective: Objective = segment_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVEL:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        attention: Builds the attention from the visual and audio width.
        hidden: Units of each direction of the LSTMs.
        units: Hidden units of the head.
        objective: Loss of the scores; `crossmodal.heads.objectives.segment_margin` is the published one.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVEL(features, classes, attention=attention, hidden=hidden, units=units, objective=objective)
