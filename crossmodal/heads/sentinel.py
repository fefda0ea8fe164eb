"""An LSTM with a modality sentinel, which attends to another sequence or falls back on its own memory."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SentinelOutputs(NamedTuple):
    """New features of a sequence, and the share of its own memory in each."""

    features: Float[Tensor, "clip segment width"]
    share: Float[Tensor, "clip segment"]


class SentinelAttention(nn.Module):
    r"""Reads a sequence by an LSTM that attends to the other modality, with its memory as one more thing to attend to.

    With hidden state $h_t$ and cell $m_t$, the sentinel is $s_t = \sigma(W_x x_t + W_h h_{t-1}) \odot \tanh m_t$. The
    scores $w^\top\tanh(W_a y_i + W_g h_t)$ of the other's segments and $w^\top\tanh(W_s s_t + W_g h_t)$ of the sentinel
    share one softmax, whose last entry is $\beta_t$. The context is the attention over the segments alone, and the new
    feature $h_t + \beta_t s_t + (1 - \beta_t) c_t$.

    Shapes: sequence and other `(clip, segment, width)` → `SentinelOutputs`. Source: the “which” of CMAN (AAAI 2020),
    after published notes of the paper; that the new feature is a sum is a reconstruction of ours, after the visual
    sentinel that it cites.
    """

    def __init__(self, width: int, *, units: int = 128):
        """Builds the block.

        Args:
            width: Channels of both sequences, and units of the LSTM.
            units: Hidden units of the scores; the published number is not known.
        """
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        self.gate_input, self.gate_hidden = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.key, self.query, self.sentinel = (nn.Linear(width, units, bias=False) for _ in range(3))
        self.readout = nn.Linear(units, 1, bias=False)

    @shaped
    def forward(
        self, sequence: Float[Tensor, "clip segment width"], other: Float[Tensor, "clip step width"]
    ) -> SentinelOutputs:
        """Computes the new features."""
        check_width(self, "sequence", sequence, self.cell.input_size)
        hidden, sentinel = self._states(sequence)
        query = self.query(hidden)
        scores = self.readout((self.key(other)[:, None] + query[:, :, None]).tanh()).squeeze(3)
        own = self.readout((self.sentinel(sentinel) + query).tanh())
        share = torch.cat([scores, own], dim=2).softmax(2)[:, :, -1:]
        context = scores.softmax(2) @ other
        return SentinelOutputs(hidden + share * sentinel + (1 - share) * context, share.squeeze(2))

    def _states(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the hidden states and sentinels of all segments."""
        state = memory = sequence.new_zeros(sequence.shape[0], self.cell.hidden_size)
        states, sentinels = [], []
        for entered, gate in zip(sequence.unbind(1), self.gate_input(sequence).unbind(1), strict=True):
            gate = (gate + self.gate_hidden(state)).sigmoid()
            state, memory = self.cell(entered, (state, memory))
            states.append(state)
            sentinels.append(gate * memory.tanh())
        return torch.stack(states, dim=1), torch.stack(sentinels, dim=1)
