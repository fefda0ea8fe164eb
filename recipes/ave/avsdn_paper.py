r"""AVSDN on audio-visual event localisation by the equations of its paper: A RECONSTRUCTION from published notes.

One LSTM per modality reads the features of every second, visual ones averaged over the map; their final states are
fused and start a decoder that reads both modalities again and scores every label in each second. Known are the order
and the fusion by AVEL's residual block; widths, directions and the pooling of the weak form are ours.

Source: Lin et al., *Dual-modality seq2seq network for audio-visual event localization*, ICASSP 2019, after notes; the
authors published no code. `crossmodal.recipes.ave.avsdn` is the form that CPSP's authors computed.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.fusion import ResidualFusion
from crossmodal.heads.objectives import Objective, segment_cross_entropy
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import SegmentSystem
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 1e-3, "decay": 0.5, "every": 10}, trainer={"max_epochs": 45}, data={"batch_size": 64})
"""The published training is not known: CPSP's."""
QUICK = Settings(optim={"lr": 1e-3})  # as published: the quick rate of the task is DG-SCT's


class AVSDNByPaper(SegmentSystem):
    """An LSTM per modality, fused final states, and a decoder that starts with them."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        hidden: int = 128,
        objective: Objective = segment_cross_entropy,
    ):
        """Builds the system; the arguments are those of `avsdn_paper`."""
        super().__init__(features, classes, objective)
        self.audio_rnn = nn.LSTM(features.audio, hidden, batch_first=True)
        self.visual_rnn = nn.LSTM(features.visual, hidden, batch_first=True)
        self.fusion = ResidualFusion(hidden)
        self.decoder = nn.LSTM(features.audio + features.visual, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, len(classes) + 1)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip segment label"]:
        """Computes the scores of every segment."""
        seen = visual.mean(2)
        final = zip(self.audio_rnn(audio)[1], self.visual_rnn(seen)[1], strict=True)
        start = tuple(self.fusion(of_audio, of_visual) for of_audio, of_visual in final)
        return self.readout(self.decoder(torch.cat([audio, seen], dim=2), start)[0])


def avsdn_paper(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    hidden: int = 128,
    objective: Objective = segment_cross_entropy,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVSDNByPaper:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor; the paper's own is a ResNet-152.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        hidden: Units of the LSTMs.
        objective: Loss of the scores; weakly supervised with `mean_cross_entropy`.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVSDNByPaper(features, classes, hidden=hidden, objective=objective)
