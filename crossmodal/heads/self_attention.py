"""Self-attention over the segments of a clip by one head, and the matching of clips with segments."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SegmentSelfAttention(nn.Module):
    r"""Lets the segments of a clip attend to each other by one head: $\mathrm{softmax}(Q K^\top / \sqrt{d})\, V$.

    Shapes: `(clip, segment, width)` → the same. Source: Wu et al., *Dual Attention Matching*, ICCV 2019 (DAM); CMAN
    uses it, too.
    """

    def __init__(self, width: int):
        """Builds the block.

        Args:
            width: Channels of the sequence.
        """
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment width"]) -> Float[Tensor, "clip segment width"]:
        """Computes what every segment attends to."""
        check_width(self, "sequence", sequence, self.value.in_features)
        scores = self.query(sequence) @ self.key(sequence).mT / sequence.shape[2] ** 0.5
        return scores.softmax(2) @ self.value(sequence)


class MatchedSegments(NamedTuple):
    """Clip vectors of both modalities, and per segment how well they match the other modality, in (0, 1)."""

    visual: Float[Tensor, "clip width"]
    audio: Float[Tensor, "clip width"]
    relevance: Float[Tensor, "clip segment"]


class DualMatching(nn.Module):
    r"""Matches the clip vector of each modality with the other's segments.

    $$p_t = \tfrac12[\sigma(\bar a \cdot v_t) + \sigma(\bar v \cdot a_t)]$$

    Clip vectors are means over self-attention; the segments are those before it.

    Shapes: visual and audio `(clip, segment, width)` → `MatchedSegments`. Source: DAM, Wu et al., ICCV 2019, after
    published notes of the paper.
    """

    def __init__(self, width: int):
        """Builds the block.

        Args:
            width: Channels of both modalities.
        """
        super().__init__()
        self.visual, self.audio = SegmentSelfAttention(width), SegmentSelfAttention(width)

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], audio: Float[Tensor, "clip segment width"]
    ) -> MatchedSegments:
        """Computes clip vectors and relevance."""
        seen, heard = self.visual(visual).mean(1), self.audio(audio).mean(1)
        by_audio, by_visual = (visual @ heard[:, :, None]).sigmoid(), (audio @ seen[:, :, None]).sigmoid()
        return MatchedSegments(seen, heard, (by_audio + by_visual).squeeze(2) / 2)
