"""Audio-guided attention over the tokens of a stream: additive, by cosine, or the plain mean."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped

Added = Callable[[Tensor, Tensor], Tensor]
"""Adds the cue's units `(frame, unit)` to the stream's `(frame, token, unit)`."""


def per_unit(seen: Tensor, heard: Tensor) -> Tensor:
    """Adds the cue to the hidden units of every token, as the papers write it: any number of tokens."""
    return seen + heard[:, None]


def per_position(seen: Tensor, heard: Tensor) -> Tensor:
    """Adds the cue's unit number *p* to all hidden units of token *p*, as AVEL's released code does.

    It exists only where there are as many units as tokens: 49 units on 7×7 maps.

    Raises:
        ValueError: If there are not.
    """
    if heard.shape[1] != seen.shape[1]:
        raise ValueError(
            f"per_position: the cue has units={heard.shape[1]}, but the stream has {seen.shape[1]} tokens: build the "
            f"attention with units={seen.shape[1]}, or add=per_unit."
        )
    return seen + heard[:, :, None]


class AdditiveAttention(nn.Module):
    r"""Weighs the tokens of a stream by a cue: $w_p = \operatorname{softmax}_p\, u^\top \tanh(W_s V_p + W_c A)$.

    Here $V_p = \mathrm{relu}(W_v x_p + b_v)$ and $A = \mathrm{relu}(W_a c + b_a)$.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → weights `(frame, token, 1)` that sum to one
    over the tokens. Source: Tian et al., *Audio-Visual Event Localization in Unconstrained Videos*, ECCV 2018 (AVEL).
    Its released code adds the cue by position instead of by unit: `add=per_position`.
    """

    def __init__(self, channels: int, cue_channels: int, *, width: int = 512, units: int = 49, add: Added = per_unit):
        """Builds the block; the defaults are the published numbers.

        Args:
            channels: Width of the stream.
            cue_channels: Width of the cue.
            width: Width that both are projected to.
            units: Hidden units of the score.
            add: Adds the cue's units to those of the tokens; `per_position` is the released code's reading.
        """
        super().__init__()
        self.add = add
        self.stream_proj, self.cue_proj = nn.Linear(channels, width), nn.Linear(cue_channels, width)
        self.stream_units, self.cue_units = (nn.Linear(width, units, bias=False) for _ in range(2))
        self.readout = nn.Linear(units, 1, bias=False)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Computes the weights."""
        check_width(self, "stream", stream, self.stream_proj.in_features)
        check_width(self, "cue", cue, self.cue_proj.in_features)
        seen = self.stream_units(self.stream_proj(stream).relu())
        heard = self.cue_units(self.cue_proj(cue).relu())
        return self.readout(self.add(seen, heard).tanh()).softmax(1)

    def extra_repr(self) -> str:
        """Shows how the cue is added."""
        return f"add={getattr(self.add, '__name__', self.add)}"


class CosineAttention(nn.Module):
    r"""Weighs the tokens of a stream by their cosine with a cue: $w_p = \operatorname{softmax}_p \cos(W_s x_p, W_c c)$.

    Shapes: as of `AdditiveAttention`. Source: the “where” of CMAN (AAAI 2020), after published notes of the paper; that
    the softmax runs over the tokens is a reconstruction of ours.
    """

    def __init__(self, channels: int, cue_channels: int, *, width: int = 256):
        """Builds the block.

        Args:
            channels: Width of the stream.
            cue_channels: Width of the cue.
            width: Width that both are projected to; the published one is not known.
        """
        super().__init__()
        self.stream_proj, self.cue_proj = nn.Linear(channels, width), nn.Linear(cue_channels, width)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Computes the weights."""
        check_width(self, "stream", stream, self.stream_proj.in_features)
        check_width(self, "cue", cue, self.cue_proj.in_features)
        seen, heard = F.normalize(self.stream_proj(stream), dim=2), F.normalize(self.cue_proj(cue), dim=1)
        return (seen @ heard[:, :, None]).softmax(1)


class MeanAttention(nn.Module):
    """Weighs all tokens alike, whatever the cue: the mean, in the place of an attention.

    Shapes: as of `AdditiveAttention`.
    """

    def __init__(self, channels: int, cue_channels: int):
        """Builds the block, which has no parameters.

        Args:
            channels: Width of the stream; not used.
            cue_channels: Width of the cue; not used.
        """
        super().__init__()

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Returns one over the number of tokens."""
        return torch.full_like(stream[:, :, :1], 1 / stream.shape[1])


@shaped
def weighted_tokens(
    stream: Float[Tensor, "frame token channel"], weights: Float[Tensor, "frame token 1"]
) -> Float[Tensor, "frame channel"]:
    """Returns the sum of the tokens under weights that sum to one."""
    return (weights.mT @ stream).squeeze(1)
