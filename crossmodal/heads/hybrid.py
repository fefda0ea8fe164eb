"""Hybrid attention: every segment attends to its own modality and to the other, in one layer."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class HybridAttention(nn.Module):
    r"""Attends to the own and to the other modality over the segments of a clip, post-norm, with one set of weights.

    $$x \leftarrow \operatorname{LN}(x + \operatorname{MHA}(x, y, y) + \operatorname{MHA}'(x, x, x)), \quad
      x \leftarrow \operatorname{LN}(x + \operatorname{FF}(x))$$

    Shapes: sequence and other `(clip, segment, width)` → `(clip, segment, width)`. Call it once for each modality: both
    share the weights, and both read the other's input.
    Source: Tian et al., ECCV 2020 (HAN), one layer; its code would feed a second layer with the inputs again.
    """

    def __init__(self, width: int = 512, *, heads: int = 1, feedforward: int | None = None, dropout: float = 0.1):
        """Builds the layer; the defaults are the published numbers.

        Args:
            width: Channels of both modalities.
            heads: Attention heads.
            feedforward: Hidden units of the feed-forward part; `width` by default.
            dropout: Dropout rate, also of attention weights.
        """
        super().__init__()
        self.own = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.other = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        hidden = feedforward or width
        self.feedforward = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @shaped
    def forward(
        self, sequence: Float[Tensor, "clip segment width"], other: Float[Tensor, "clip step width"]
    ) -> Float[Tensor, "clip segment width"]:
        """Computes one modality from itself and from the other."""
        check_width(self, "sequence", sequence, self.own.embed_dim)
        across, _ = self.other(sequence, other, other, need_weights=False)
        within, _ = self.own(sequence, sequence, sequence, need_weights=False)
        attended = self.attention_norm(sequence + self.dropout(across) + self.dropout(within))
        return self.feedforward_norm(attended + self.dropout(self.feedforward(attended)))
