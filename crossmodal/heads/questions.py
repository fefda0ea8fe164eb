"""Questions as vectors, and attention over the segments of a clip by a question."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..shapes import check_width, shaped


class QuestionEncoder(nn.Module):
    r"""Encodes a question by an LSTM: $q = W \tanh [h; c]$ of its last states, over $\tanh$ of the embedded words.

    Padding is embedded and read like any word, as in the published codes.

    Shapes: word ids `(clip, word)` → `(clip, width)`.
    Source: Li et al., *Learning to Answer Questions in Dynamic Audio-Visual Scenarios*, CVPR 2022 (ST-AVQA).
    """

    def __init__(self, words: int, width: int = 512):
        """Builds the encoder.

        Args:
            words: Size of the vocabulary.
            width: Channels of words, states and result.
        """
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.project = nn.Linear(2 * width, width)

    @shaped
    def forward(self, question: Int[Tensor, "clip word"]) -> Float[Tensor, "clip width"]:
        """Encodes questions."""
        _, states = self.lstm(self.embedding(question).tanh())
        return self.project(torch.cat([state[0] for state in states], dim=1).tanh())


class AttendedByQuestion(NamedTuple):
    """What a question finds in a sequence, and in which segments; these weights sum to one."""

    vector: Float[Tensor, "clip width"]
    weights: Float[Tensor, "clip segment"]


class QuestionAttention(nn.Module):
    r"""Attends over the segments of a clip by a question: $\mathrm{LN}(y + \mathrm{FF}(y))$, $y = \mathrm{MHA}(q, x)$.

    The question is not added to $y$. Shapes: question `(clip, width)`, sequence `(clip, segment, width)` → vector and
    weights over segments, their mean over heads. Source: the temporal grounding of ST-AVQA (CVPR 2022).
    """

    def __init__(self, width: int = 512, *, heads: int = 4, dropout: float = 0.1):
        """Builds the layer; the defaults are the published numbers.

        Args:
            width: Channels of question, sequence and result.
            heads: Attention heads.
            dropout: Dropout rate, also of attention weights.
        """
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.Dropout(dropout)
        )
        self.norm = nn.LayerNorm(width)

    @shaped
    def forward(
        self, question: Float[Tensor, "clip width"], sequence: Float[Tensor, "clip segment width"]
    ) -> AttendedByQuestion:
        """Computes what the question finds."""
        check_width(self, "sequence", sequence, self.attention.embed_dim)
        attended, weights = self.attention(question[:, None], sequence, sequence)
        found = attended[:, 0]
        return AttendedByQuestion(self.norm(found + self.feedforward(found)), weights[:, 0])


class QuestionMean(nn.Module):
    """Averages a sequence over its segments, whatever the question: in the place of a `QuestionAttention`.

    Shapes: as of `QuestionAttention`.
    """

    def __init__(self, width: int = 512):
        """Builds the block, which has no parameters.

        Args:
            width: Channels; not used.
        """
        super().__init__()

    @shaped
    def forward(
        self, question: Float[Tensor, "clip width"], sequence: Float[Tensor, "clip segment width"]
    ) -> AttendedByQuestion:
        """Computes the mean."""
        return AttendedByQuestion(sequence.mean(1), torch.full_like(sequence[:, :, 0], 1 / sequence.shape[1]))
