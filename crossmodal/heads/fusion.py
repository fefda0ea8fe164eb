"""Residual fusion of two vectors, and the sequences of both modalities read by one LSTM each."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .recurrent import BidirectionalLSTM


class ResidualFusion(nn.Module):
    r"""Fuses two vectors by a residual that both share: $\tfrac12[\tanh(a + m) + \tanh(v + m)]$.

    The residual is $m = \tfrac12[U_a(a) + U_v(v)]$, each $U$ two linear layers with a tanh between.

    Shapes: audio and visual `(…, channel)` → `(…, channel)`. Source: the dual multimodal residual block of Tian et al.,
    ECCV 2018 (AVEL), with one layer, where its two branches need no order.
    """

    def __init__(self, channels: int):
        """Builds the block.

        Args:
            channels: Width of both vectors.
        """
        super().__init__()
        self.audio_residual, self.visual_residual = (
            nn.Sequential(nn.Linear(channels, channels), nn.Tanh(), nn.Linear(channels, channels)) for _ in range(2)
        )

    @shaped
    def forward(
        self, audio: Float[Tensor, "*batch channel"], visual: Float[Tensor, "*batch channel"]
    ) -> Float[Tensor, "*batch channel"]:
        """Fuses the vectors."""
        residual = (self.audio_residual(audio) + self.visual_residual(visual)) / 2
        return ((audio + residual).tanh() + (visual + residual).tanh()) / 2


class LSTMPair(nn.Module):
    """Reads the sequence of each modality by a bidirectional LSTM of its own.

    Shapes: visual `(clip, segment, visual)`, audio `(clip, segment, audio)` → `(clip, segment, 2 · hidden)`, audio
    first, with each modality's own number of units.
    """

    def __init__(self, visual: int, audio: int, *, visual_hidden: int = 128, audio_hidden: int = 128):
        """Builds the layers; the defaults are AVEL's.

        Args:
            visual: Channels of the visual sequence.
            audio: Channels of the audio sequence.
            visual_hidden: Units of each direction of the visual LSTM.
            audio_hidden: Units of each direction of the audio LSTM.
        """
        super().__init__()
        self.visual, self.audio = BidirectionalLSTM(visual, visual_hidden), BidirectionalLSTM(audio, audio_hidden)

    @property
    def width(self) -> int:
        """Returns the channels of both outputs together."""
        return 2 * (self.visual.hidden_size + self.audio.hidden_size)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip segment both"]:
        """Computes the outputs of both, audio before visual."""
        check_width(self, "audio", audio, self.audio.input_size)
        return torch.cat([self.audio(audio), self.visual(visual)], dim=2)
