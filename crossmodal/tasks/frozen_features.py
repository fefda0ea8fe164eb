"""Features of frozen extractors by name: visual tokens and one audio vector for every segment."""

from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.data import Preprocess
from crossmodal.encoders.by_name import audio_backbone, visual_backbone
from crossmodal.injection import freeze
from crossmodal.shapes import shaped

from .task import Features


class FrozenFeatures(NamedTuple):
    """Features that a system reads, and their widths.

    Attributes:
        inputs: The extractors.
        visual: Channels of a visual token.
        audio: Channels of the audio vector.
        tokens: Visual tokens of a segment.
    """

    inputs: Features
    visual: int
    audio: int
    tokens: int


class TokenFeatures(nn.Module):
    """Frozen visual encoder as an extractor: the stream that its head returns."""

    def __init__(self, encoder: nn.Module):
        """Freezes the encoder.

        Args:
            encoder: Frames → stream.
        """
        super().__init__()
        self.encoder = freeze(encoder)

    @shaped
    def forward(self, frames: Float[Tensor, "segment 3 height width"]) -> Float[Tensor, "segment token channel"]:
        """Computes the tokens of every segment."""
        return self.encoder(frames)


class VectorFeatures(nn.Module):
    """Frozen audio encoder as an extractor: the mean of the stream that its head returns."""

    def __init__(self, encoder: nn.Module, sound: nn.Module):
        """Freezes the encoder.

        Args:
            encoder: Output of `sound` → stream.
            sound: Wave → input of the encoder.
        """
        super().__init__()
        self.encoder, self.sound = freeze(encoder), sound

    @shaped
    def forward(self, wave: Float[Tensor, "segment sample"]) -> Float[Tensor, "segment channel"]:
        """Computes the vector of every segment."""
        return self.encoder(self.sound(wave)).mean(1)


def frozen_features(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
) -> FrozenFeatures:
    """Builds frozen extractors by name.

    Args:
        visual: `vgg19` (published), `tiny`, or another of `visual_backbone`.
        audio: `vggish` (published), `tiny`, or another of `audio_backbone`.
        visual_weights: File of weights, or `"pretrained"`; without it the extractor is random (save `tiny`), and a
            warning says so.
        audio_weights: The same of the audio extractor.

    Raises:
        ValueError: As `visual_backbone` and `audio_backbone` do.
    """
    sight = visual_backbone(visual, weights=visual_weights)
    hearing = audio_backbone(audio, weights=audio_weights)
    preprocess = Preprocess(sight.size, hearing.rate, sight.mean, sight.std)
    extractors = TokenFeatures(sight.encoder), VectorFeatures(hearing.encoder, hearing.sound)
    inputs = Features(preprocess, *extractors, f"{visual}-{audio}".replace(":", "_").replace("/", "_"))
    return FrozenFeatures(inputs, sight.width, hearing.width, sight.encoder.sites[-1].tokens)
