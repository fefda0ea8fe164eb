"""A bidirectional LSTM that compiles with `fullgraph=True`."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped

DIRECTIONS = ("", "_reverse")


class BidirectionalLSTM(nn.RNNBase):
    """Computes the first output of a bidirectional `nn.LSTM` of one layer; parameters have the same names.

    In eager mode it runs torch's fused kernel. `torch.compile` with `fullgraph=True` refuses to call `nn.LSTM`: there
    the same weights are applied segment by segment, both directions in one matrix product. Outputs and gradients agree
    to rounding.

    Shapes: `(clip, segment, channel)` → `(clip, segment, 2 · hidden)`.
    """

    def __init__(self, channels: int, hidden: int):
        """Builds the layer.

        Args:
            channels: Channels of the sequence.
            hidden: Units of each direction.
        """
        super().__init__("LSTM", channels, hidden, batch_first=True, bidirectional=True)

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment channel"]) -> Float[Tensor, "clip segment both_hidden"]:
        """Computes the states of both directions, concatenated."""
        check_width(self, "sequence", sequence, self.input_size)
        start = sequence.new_zeros(2, sequence.shape[0], self.hidden_size)
        if torch.compiler.is_compiling():
            return self._unrolled(sequence, start)
        weights: list[Tensor] = [*self.parameters()]
        # has_biases, num_layers, dropout, train, bidirectional, batch_first
        return torch.lstm(sequence, (start, start), weights, True, 1, 0.0, self.training, True, True)[0]

    def _unrolled(self, sequence: Tensor, start: Tensor) -> Tensor:
        """Computes the same one segment after another, with both directions as a batch of two."""
        entering, recurring, one, other = (
            torch.stack([getattr(self, f"{name}_l0{way}") for way in DIRECTIONS])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        both = torch.stack([sequence, sequence.flip(1)])
        entered = torch.einsum("dcsi,doi->dcso", both, entering) + (one + other)[:, None, None]
        state, memory, states = start, start, []
        for step in entered.unbind(2):
            # in the order of torch's weights
            enter, forget, new, leave = torch.baddbmm(step, state, recurring.mT).chunk(4, dim=2)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            states.append(state)
        forwards, backwards = torch.stack(states, dim=2)
        return torch.cat([forwards, backwards.flip(1)], dim=2)
