r"""AVSDN on audio-visual event localisation, as the authors of CPSP re-implemented it on 7×7 maps.

Each modality is read by an LSTM; the states that both end with are fused and start a third one, which reads the
features of both modalities again, so that every second is seen in the light of the whole clip:

$$h_0 = F(\mathrm{relu}\,h_a, \mathrm{relu}\,h_v), \quad c_0 = F(\mathrm{relu}\,c_a, \mathrm{relu}\,c_v), \qquad
f = \mathrm{relu}\,\mathrm{LSTM}([a, x];\, h_0, c_0)$$

Source: Lin et al., *Dual-modality seq2seq network for audio-visual event localization*, ICASSP 2019, as computed by
`cpsp_avel/model/avsdn.py` of jasongief/CPSP, whose numbers this file reproduces. The authors published no code;
`avsdn_paper` follows notes of the paper. As in CPSP's, one fusion serves hidden states and cells.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.additive import AdditiveAttention, weighted_tokens
from crossmodal.heads.fusion import LSTMPair, ResidualFusion
from crossmodal.heads.objectives import FullSupervision, Supervision
from crossmodal.heads.recurrent import BidirectionalLSTM, RecurrentState
from crossmodal.recipes.ave.avel import xavier
from crossmodal.shapes import shaped
from crossmodal.tasks.feature_system import RelevanceSystem, WhenAndWhat
from crossmodal.tasks.frozen_features import FrozenFeatures, frozen_features
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(
    optim={"lr": 1e-3, "decay": 0.5, "every": 10},
    trainer={"max_epochs": 45, "gradient_clip_val": 0.1},
    data={"batch_size": 64},
    seed=123,
)
QUICK = Settings(optim={"lr": 1e-3})  # as published: the quick rate of the task is DG-SCT's


class AVSDN(RelevanceSystem):
    """Attention, an LSTM per modality, and one on both that starts with their fused final states."""

    def __init__(
        self,
        features: FrozenFeatures,
        classes: Sequence[str],
        *,
        attention: Callable[[int, int], nn.Module] = AdditiveAttention,
        hidden: int = 128,
        supervision: Callable[[], Supervision] = FullSupervision,
    ):
        """Builds the system; the arguments are those of `avsdn`."""
        super().__init__(features, classes, supervision)
        self.attention = attention(features.visual, features.audio)
        self.sequences = LSTMPair(features.visual, features.audio, visual_hidden=hidden, audio_hidden=hidden)
        self.fusion = ResidualFusion(hidden)
        self.decoder = BidirectionalLSTM(features.audio + features.visual, hidden)
        self.relevance, self.event = nn.Linear(2 * hidden, 1), nn.Linear(2 * hidden, self.labels)
        for part in (self.attention, self.relevance, self.event):
            part.apply(xavier)

    @shaped
    def score(
        self,
        visual: Float[Tensor, "clip segment token visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> WhenAndWhat:
        """Computes the relevance of segments and the event of clips."""
        stream = visual.flatten(0, 1)
        attended = weighted_tokens(stream, self.attention(stream, audio.flatten(0, 1)))
        attended = attended.unflatten(0, audio.shape[:2])
        heard, seen = self.sequences.audio.run(audio).final, self.sequences.visual.run(attended).final
        fused = [self.fusion(one.relu(), other.relu()) for one, other in zip(heard, seen, strict=True)]
        both = self.decoder.run(torch.cat([audio, attended], dim=2), RecurrentState(*fused)).outputs.relu()
        return WhenAndWhat(self.relevance(both).squeeze(2), self.event(both.mean(1)))


def avsdn(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    attention: Callable[[int, int], nn.Module] = AdditiveAttention,
    hidden: int = 128,
    supervision: Callable[[], Supervision] = FullSupervision,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVSDN:
    """Builds the system on features of two frozen extractors by name.

    Args:
        visual: Visual extractor: `tiny`, `vgg19` (published), or another visual encoder.
        audio: Audio extractor: `tiny`, `vggish` (published), or another audio encoder.
        classes: Names of the events; background is not counted.
        attention: Builds the attention from the visual and audio width; CPSP adds the sound by position, as AVEL does.
        hidden: Units of each direction of the LSTMs.
        supervision: Makes the loss: by every second, or by the clip alone.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = frozen_features(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVSDN(features, classes, attention=attention, hidden=hidden, supervision=supervision)
