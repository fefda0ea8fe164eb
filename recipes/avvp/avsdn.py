r"""AVSDN on audio-visual video parsing, a **reconstruction**: the whole clip starts the reading of its seconds.

The published row stems from HAN's authors, who released no code of it: AVSDN “merges global into local features”, with
“additional audio-visual parsing branches”, is all that is known. Here an LSTM per modality reads the clip; their fused
final states start one on both modalities; losses and training are HAN's.

Source: Lin et al., *Dual-modality Seq2Seq Network for Audio-visual Event Localization*, ICASSP 2019, in the form of a
re-implementation (CPSP), without its attention; the rest is ours.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from crossmodal.data.world import TEXTURES
from crossmodal.heads.fusion import LSTMPair, ResidualFusion
from crossmodal.heads.parsing import Parsed, SegmentReadouts
from crossmodal.heads.recurrent import BidirectionalLSTM, RecurrentState
from crossmodal.named_draws import drawn
from crossmodal.recipes.avvp.han import SETTINGS as SETTINGS
from crossmodal.tasks.parsing_system import FeatureParser, ParsingInputs, SecondProjections, parsing_inputs


class AVSDNParser(FeatureParser):
    """An LSTM per modality, one on both that starts with their fused final states, and readouts of all three."""

    def __init__(
        self,
        features: ParsingInputs,
        classes: Sequence[str],
        *,
        width: int = 512,
        hidden: int = 128,
        visual_label: float = 0.9,
    ):
        """Builds the system; the arguments are those of `avsdn`."""
        super().__init__(features, classes, visual_label=visual_label)
        self.vectors = drawn("vectors", SecondProjections, features, width)
        self.sequences = drawn("sequences", LSTMPair, width, width, visual_hidden=hidden, audio_hidden=hidden)
        self.fusion = drawn("fusion", ResidualFusion, hidden)
        self.decoder = drawn("decoder", BidirectionalLSTM, 2 * width, hidden)
        self.readouts = drawn("readouts", SegmentReadouts, *(2 * hidden,) * 3, len(classes))

    def score(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> Parsed:
        """Computes the probabilities of segments and clips."""
        vectors = self.vectors(tokens, audio, motion)
        heard, seen = self.sequences.audio.run(vectors[0]), self.sequences.visual.run(vectors[1])
        start = [self.fusion(one.relu(), other.relu()) for one, other in zip(heard.final, seen.final, strict=True)]
        both = self.decoder.run(torch.cat(vectors, dim=2), RecurrentState(*start)).outputs.relu()
        parsed: Parsed = self.readouts(heard.outputs, seen.outputs, both)
        return parsed


def avsdn(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    width: int = 512,
    hidden: int = 128,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVSDNParser:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `llp` for the published ResNet-152 and R(2+1)D-18, or another encoder.
        audio: Audio extractor: `tiny`, `llp` for the published VGGish, or another encoder.
        classes: Names of the categories.
        width: Channels of a second's vectors.
        hidden: Units of each direction of the LSTMs.
        visual_label: Share of a clip's label in its visual target; 1 does not smooth.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = parsing_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVSDNParser(features, classes, width=width, hidden=hidden, visual_label=visual_label)
