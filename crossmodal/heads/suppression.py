"""Background suppression: gates of segments by which modalities amplify each other, and two interactions in a chain."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped
from .cross_encoding import Encoded, ProductInteraction


class Suppressed(NamedTuple):
    """Queries of both modalities after gating, and the gate of both together, in (0, 1)."""

    visual: Float[Tensor, "clip segment width"]
    audio: Float[Tensor, "clip segment width"]
    gate: Float[Tensor, "clip segment"]


class GatedByOther(nn.Module):
    r"""Amplifies each modality by the other's gate: $Q_v \leftarrow (1 + \alpha g_a) Q_v$; the gate is $g_a g_v$.

    Shapes: `Encoded` → `Suppressed`. Source: CMBS (Xia and Zhao, CVPR 2022), full supervision.
    """

    def __init__(self, width: int, *, alpha: float = 0.1):
        """Builds both gates.

        Args:
            width: Channels of keys and queries.
            alpha: Weight of a gate.
        """
        super().__init__()
        self.alpha = alpha
        self.visual_gate, self.audio_gate = nn.Linear(width, 1), nn.Linear(width, 1)

    @shaped
    def forward(self, encoded: Encoded) -> Suppressed:
        """Gates the queries."""
        of_visual, of_audio = (
            self.visual_gate(encoded.visual_key).sigmoid(),
            self.audio_gate(encoded.audio_key).sigmoid(),
        )
        return Suppressed(
            (1 + self.alpha * of_audio) * encoded.visual_query,
            (1 + self.alpha * of_visual) * encoded.audio_query,
            (of_audio * of_visual).squeeze(2),
        )


class GatedByOwn(nn.Module):
    r"""Lets each modality damp itself: $Q \leftarrow (1 - \alpha) Q + \alpha g Q$; the gate is the mean of both.

    Shapes: `Encoded` → `Suppressed`. Source: CMBS (Xia and Zhao, CVPR 2022), weak supervision.
    """

    def __init__(self, width: int, *, alpha: float = 0.2):
        """Builds both gates.

        Args:
            width: Channels of keys and queries.
            alpha: Weight of a gate.
        """
        super().__init__()
        self.alpha = alpha
        self.visual_gate, self.audio_gate = nn.Linear(width, 1), nn.Linear(width, 1)

    @shaped
    def forward(self, encoded: Encoded) -> Suppressed:
        """Gates the queries."""
        of_visual, of_audio = (
            self.visual_gate(encoded.visual_key).sigmoid(),
            self.audio_gate(encoded.audio_key).sigmoid(),
        )
        return Suppressed(
            (1 - self.alpha + self.alpha * of_visual) * encoded.visual_query,
            (1 - self.alpha + self.alpha * of_audio) * encoded.audio_query,
            (of_visual + of_audio).squeeze(2) / 2,
        )


class ChainedInteraction(nn.Module):
    """Averages two interactions, of which the second reads the first one's result in the place of the visual sequence.

    Shapes: visual and audio `(clip, segment, width)` → the same. Source: CMBS, its released code.
    """

    def __init__(self, width: int, *, heads: int = 4):
        """Builds both interactions.

        Args:
            width: Channels of both sequences.
            heads: Attention heads; 2 in the weak form.
        """
        super().__init__()
        self.visual, self.audio = (ProductInteraction(width, heads=heads, attention_dropout=0.2) for _ in range(2))

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], audio: Float[Tensor, "clip segment width"]
    ) -> Float[Tensor, "clip segment width"]:
        """Computes the fused sequence."""
        first = self.visual(visual, audio)
        return (first + self.audio(audio, first)) / 2


def gate_itself(gate: Tensor) -> Tensor:
    """Returns the gate, which is a probability already."""
    return gate


def squashed_gate(gate: Tensor) -> Tensor:
    """Returns the sigmoid of the gate, always above one half, as the released code of weak CMBS decodes it."""
    return gate.sigmoid()
