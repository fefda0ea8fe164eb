"""A bidirectional LSTM that `torch.compile` takes whole."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped

WAYS = ("", "_reverse")


class BothWays(nn.RNNBase):
    """One layer of LSTM, read forwards and backwards: the first output of such an `nn.LSTM`, under the same keys.

    Eager, it runs torch's fused kernel. `torch.compile` refuses to call an `nn.LSTM` with `fullgraph=True`: there the
    same weights are applied segment by segment, both directions in one matrix product; outputs and gradients agree to
    rounding.

    - `channels`: of the sequence. `hidden`: units of each direction.

    Shapes: `(clip, segment, channel)` → `(clip, segment, 2 · hidden)`.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__("LSTM", channels, hidden, batch_first=True, bidirectional=True)

    @shaped
    def forward(self, sequence: Float[Tensor, "clip segment channel"]) -> Float[Tensor, "clip segment both_hidden"]:
        """The states of both directions, side by side."""
        check_width(self, "sequence", sequence, self.input_size)
        start = sequence.new_zeros(2, sequence.shape[0], self.hidden_size)
        if torch.compiler.is_compiling():
            return self._unrolled(sequence, start)
        weights: list[Tensor] = [*self.parameters()]
        return torch.lstm(sequence, (start, start), weights, True, 1, 0.0, self.training, True, True)[0]

    def _unrolled(self, sequence: Tensor, start: Tensor) -> Tensor:
        entering, recurring, one, other = (
            torch.stack([getattr(self, f"{name}_l0{way}") for way in WAYS])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        both = torch.stack([sequence, sequence.flip(1)])
        entered = torch.einsum("dcsi,doi->dcso", both, entering) + (one + other)[:, None, None]
        state, memory, states = start, start, []
        for step in entered.unbind(2):
            enter, forget, new, leave = torch.baddbmm(step, state, recurring.mT).chunk(4, dim=2)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            states.append(state)
        forwards, backwards = torch.stack(states, dim=2)
        return torch.cat([forwards, backwards.flip(1)], dim=2)
