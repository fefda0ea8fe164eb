"""Temporal guidance: in which segments of a clip does the other modality vouch for this one?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SegmentGuidance(nn.Module):
    r"""One number a segment, from the cue of that segment alone: $M_t = \sigma(w^\top c_t + b)$.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, 1)` in [0, 1].
    Source: the temporal gate inside the few-shot adapters of DG-SCT.
    """

    def __init__(self, channels: int, cue_channels: int):
        """
        - `channels`: width of the guided stream; the block does not read it.
        - `cue_channels`: width of the cue.
        """
        super().__init__()
        self.readout = nn.Linear(cue_channels, 1)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 1"]:
        """Returns the map; never applies it."""
        check_width(self, "cue", cue, self.readout.in_features)
        return self.readout(cue).sigmoid()[:, None]


class ClipGuidance(nn.Module):
    r"""One number a segment, from the cues of the whole clip, read forwards and backwards by a GRU each.

    $$M_t = \sigma(w^\top [\overrightarrow h_t, \overleftarrow h_t] + b)$$

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, 1)` in [0, 1], where frames
    are whole clips of `segments`, or a single shorter clip (the last window of a video).
    Source: the temporal attention of DG-SCT's slides, which draw it inside every adapter. The cells are GRU cells and
    not an `nn.LSTM`, which `torch.compile` cannot take whole.
    """

    def __init__(self, channels: int, cue_channels: int, *, segments: int = 10, hidden: int = 32):
        """
        - `channels`: width of the guided stream; the block does not read it.
        - `cue_channels`: width of the cue.
        - `segments`: segments of a clip.
        - `hidden`: units of each direction.
        """
        super().__init__()
        if segments < 1:
            raise ValueError(f"ClipGuidance: segments={segments} must be at least 1.")
        self.segments = segments
        self.forwards = nn.GRUCell(cue_channels, hidden)
        self.backwards = nn.GRUCell(cue_channels, hidden)
        self.readout = nn.Linear(2 * hidden, 1)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 1"]:
        """Returns the map; never applies it."""
        check_width(self, "cue", cue, self.forwards.input_size)
        cues = by_clip(self, cue, self.segments).unbind(1)
        states = zip(unrolled(self.forwards, cues), reversed(unrolled(self.backwards, cues[::-1])), strict=True)
        hidden = torch.stack([torch.cat(pair, dim=1) for pair in states], dim=1)
        return self.readout(hidden.flatten(0, 1)).sigmoid()[:, None]

    def extra_repr(self) -> str:
        return f"segments={self.segments}"


def unrolled(cell: nn.GRUCell, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The hidden state after every input, starting from zero."""
    state, states = None, []
    for item in inputs:
        state = cell(item, state)
        states.append(state)
    return states


def by_clip(block: nn.Module, frames: Tensor, segments: int) -> Tensor:
    """`(frame, …)` → `(clip, segment, …)`; fewer frames than `segments` are one shorter clip."""
    count = frames.shape[0]
    if count > segments and count % segments:
        raise ValueError(
            f"{type(block).__name__}: {count} frames are not whole clips of segments={segments}: pass whole clips, or "
            f"one shorter clip alone."
        )
    length = min(count, segments)
    return torch.unflatten(frames, 0, (-1, length))
