r"""AVEL on audio-visual video parsing, a **reconstruction**: audio-guided attention and an LSTM per modality.

The published row (“AVE”) stems from HAN's authors, who released no code of it: “an audio-guided co-attention network”
with “additional audio-visual parsing branches” is all that is known. Here the sound weighs the eight frames of every
second, where AVEL weighs positions; both modalities' vectors are read by an LSTM each; losses and training are HAN's.

Source: Tian et al., *Audio-Visual Event Localization in Unconstrained Videos*, ECCV 2018; the rest is ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from crossmodal.data.world import TEXTURES
from crossmodal.heads.additive import AdditiveAttention, weighted_tokens
from crossmodal.heads.fusion import LSTMPair
from crossmodal.heads.parsing import Parsed, SegmentReadouts
from crossmodal.named_draws import drawn
from crossmodal.recipes.avvp.han import SETTINGS as SETTINGS
from crossmodal.tasks.parsing_system import FeatureParser, ParsingInputs, SecondProjections, parsing_inputs


class AVELParser(FeatureParser):
    """Attention over the tokens of a second, an LSTM per modality, and readouts of all three."""

    def __init__(
        self,
        features: ParsingInputs,
        classes: Sequence[str],
        *,
        attention: Callable[[int, int], nn.Module] = AdditiveAttention,
        width: int = 512,
        hidden: int = 128,
        visual_label: float = 0.9,
    ):
        """Builds the system; the arguments are those of `avel`."""
        super().__init__(features, classes, visual_label=visual_label)
        self.attention = drawn("attention", attention, features.visual, features.audio)
        self.vectors = drawn("vectors", SecondProjections, features, width)
        self.sequences = drawn("sequences", LSTMPair, width, width, visual_hidden=hidden, audio_hidden=hidden)
        self.readouts = drawn("readouts", SegmentReadouts, 2 * hidden, 2 * hidden, 4 * hidden, len(classes))

    def score(self, tokens: Tensor, audio: Tensor, motion: Tensor) -> Parsed:
        """Computes the probabilities of segments and clips."""
        stream = tokens.flatten(0, 1)
        attended = weighted_tokens(stream, self.attention(stream, audio.flatten(0, 1)))
        heard, seen = self.vectors(attended.unflatten(0, audio.shape[:2])[:, :, None], audio, motion)
        heard, seen = self.sequences.audio(heard), self.sequences.visual(seen)
        parsed: Parsed = self.readouts(heard, seen, torch.cat([heard, seen], dim=2))
        return parsed


def avel(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = TEXTURES,
    attention: Callable[[int, int], nn.Module] = AdditiveAttention,
    width: int = 512,
    hidden: int = 128,
    visual_label: float = 0.9,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> AVELParser:
    """Builds the system on features of frozen extractors.

    Args:
        visual: Visual extractor: `tiny`, `llp` for the published ResNet-152 and R(2+1)D-18, or another encoder.
        audio: Audio extractor: `tiny`, `llp` for the published VGGish, or another encoder.
        classes: Names of the categories.
        attention: Builds the attention over a second's tokens from the visual and audio width.
        width: Channels of a second's vectors.
        hidden: Units of each direction of the LSTMs.
        visual_label: Share of a clip's label in its visual target; 1 does not smooth.
        visual_weights: File of weights of the visual extractor, or `pretrained`.
        audio_weights: The same for the audio extractor.
    """
    features = parsing_inputs(visual, audio, visual_weights=visual_weights, audio_weights=audio_weights)
    return AVELParser(features, classes, attention=attention, width=width, hidden=hidden, visual_label=visual_label)
