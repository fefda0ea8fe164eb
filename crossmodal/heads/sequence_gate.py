"""Gates over the seconds of a clip: each modality says how much of the other counts in every segment."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from .recurrent import BidirectionalLSTM
from .temporal import SequenceEncoder


class SequenceGate(nn.Module):
    r"""Computes a gate for every segment of a sequence: $\sigma(w^\top \mathrm{Enc}(\mathrm{LSTM}(x)))$.

    Shapes: `(clip, segment, channel)` → `(clip, segment, 1)` in [0, 1].
    Source: the temporal block of DG-SCT's released parsing model.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        hidden: int | None = None,
        heads: int = 4,
        feedforward: int = 1024,
        dropout: float = 0.1,
    ):
        """Builds the block; the defaults are the published numbers, for 128 channels and width 64.

        Args:
            channels: Channels of the sequence.
            width: Channels of the encoder.
            hidden: Units of each direction of the LSTM; half of `channels` by default.
            heads: Its attention heads.
            feedforward: Hidden units of its feed-forward part.
            dropout: Its dropout rate.
        """
        super().__init__()
        hidden = hidden or channels // 2
        self.rnn = BidirectionalLSTM(channels, hidden)
        self.encoder = SequenceEncoder(2 * hidden, width, heads=heads, feedforward=feedforward, dropout=dropout)
        self.readout = nn.Linear(width, 1)

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment channel"]) -> Float[Tensor, "clip segment 1"]:
        """Computes the gates."""
        check_width(self, "sequence", sequence, self.rnn.input_size)
        return self.readout(self.encoder(self.rnn(sequence))).sigmoid()


class GatedByEachOther(nn.Module):
    r"""Scales each modality by the other's gate: $v (1 + \gamma g_a)$ and $a (1 + \gamma g_v)$.

    Shapes: visual and audio `(clip, segment, width)` → the same.
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023 (DG-SCT), its temporal attention, from the paper's figure
    as recalled; the released parsing model has one direction of it, `GatedBySound`.
    """

    def __init__(self, width: int, *, gamma: float = 0.05):
        """Builds both gates.

        Args:
            width: Channels of both modalities; a multiple of 8.
            gamma: Weight of a gate.
        """
        super().__init__()
        self.gamma = gamma
        self.audio_gate, self.visual_gate = (SequenceGate(width, width // 2) for _ in range(2))

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], audio: Float[Tensor, "clip segment width"]
    ) -> tuple[Float[Tensor, "clip segment width"], Float[Tensor, "clip segment width"]]:
        """Scales both modalities."""
        by_sound, by_sight = self.audio_gate(audio), self.visual_gate(visual)
        return visual * (1 + self.gamma * by_sound), audio * (1 + self.gamma * by_sight)


class GatedBySound(nn.Module):
    r"""Scales the visual modality by the audio gate, $v (1 + \gamma g_a)$, and leaves the audio one as it is.

    Shapes: as of `GatedByEachOther`. Source: DG-SCT's released parsing model, which discards the other direction.
    """

    def __init__(self, width: int, *, gamma: float = 0.05, feedforward: int = 1024):
        """Builds the gate.

        Args:
            width: Channels of both modalities; a multiple of 8.
            gamma: Weight of the gate.
            feedforward: Hidden units of its encoder's feed-forward part.
        """
        super().__init__()
        self.gamma = gamma
        self.audio_gate = SequenceGate(width, width // 2, feedforward=feedforward)

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], audio: Float[Tensor, "clip segment width"]
    ) -> tuple[Float[Tensor, "clip segment width"], Float[Tensor, "clip segment width"]]:
        """Scales the visual modality."""
        return visual * (1 + self.gamma * self.audio_gate(audio)), audio
