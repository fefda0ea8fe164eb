"""Temporal guidance: in which segments of a clip does the other modality vouch for this one?"""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SegmentGuidance(nn.Module):
    r"""Scores every segment by its own cue alone: $M_t = \sigma(w^\top c_t + b)$.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, 1)` in [0, 1].
    Source: the temporal gate inside the few-shot adapters of DG-SCT.
    """

    laws_exempt: ClassVar = {"stream is heard": "it scores a segment by its cue alone"}

    def __init__(self, channels: int, cue_channels: int):
        """Builds the block.

        Args:
            channels: Width of the guided stream, which is not read.
            cue_channels: Width of the cue.
        """
        super().__init__()
        self.channels, self.cue_channels = channels, cue_channels
        self.readout = nn.Linear(cue_channels, 1)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 1"]:
        """Computes the map; never applies it."""
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        return self.readout(cue).sigmoid()[:, None]

    def extra_repr(self) -> str:
        """Shows the width of the stream."""
        return f"channels={self.channels}"


class ClipGuidance(nn.Module):
    r"""Scores every segment by the cues of the whole clip, read in both directions by a recurrent network.

    $$h_t = \tanh(W c_t + b + U h_{t-1}), \qquad
      M_t = \sigma(w^\top [\overrightarrow h_t, \overleftarrow h_t] + \beta)$$

    A cue that is the mean over a learned alignment is small and nearly the same in every second; `norm=nn.LayerNorm`
    brings it to unit scale.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, 1)` in [0, 1], where frames
    are whole clips of `segments`, or a single shorter clip (the last window of a video).
    Source: the temporal attention of DG-SCT's slides, which draw it inside every adapter. Both directions take a step
    as one matrix product, so that `torch.compile` compiles the block whole, which it cannot with `nn.RNN`.
    """

    laws_exempt: ClassVar = {"stream is heard": "it scores a segment by the cues of its clip alone"}

    def __init__(
        self,
        channels: int,
        cue_channels: int,
        *,
        segments: int = 10,
        hidden: int = 32,
        norm: Callable[[int], nn.Module] = nn.Identity,
    ):
        """Builds the block.

        Args:
            channels: Width of the guided stream, which is not read.
            cue_channels: Width of the cue.
            segments: Segments of a clip.
            hidden: Units of each direction.
            norm: Factory of a norm of the cue, called with its width.

        Raises:
            ValueError: If `segments` is less than 1.
        """
        super().__init__()
        if segments < 1:
            raise ValueError(f"ClipGuidance: segments={segments} must be at least 1.")
        self.channels, self.cue_channels, self.segments = channels, cue_channels, segments
        self.norm = norm(cue_channels)
        self.enter = nn.Linear(cue_channels, 2 * hidden)
        # both directions in one tensor, each started as `nn.RNN` starts
        self.recur = nn.Parameter(torch.empty(2, hidden, hidden).uniform_(-(hidden**-0.5), hidden**-0.5))
        self.readout = nn.Linear(2 * hidden, 1)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 1"]:
        """Computes the map; never applies it."""
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        forwards, backwards = by_clip(self, self.enter(self.norm(cue)), self.segments).chunk(2, dim=2)
        # both directions as a batch of two, the second from the end
        entered = torch.stack([forwards, backwards.flip(1)])
        state, states = torch.zeros_like(entered[:, :, 0]), []
        for step in entered.unbind(2):
            state = torch.baddbmm(step, state, self.recur).tanh()
            states.append(state)
        forwards, backwards = torch.stack(states, dim=2)
        hidden = torch.cat([forwards, backwards.flip(1)], dim=2).flatten(0, 1)
        return self.readout(hidden).sigmoid()[:, None]

    def extra_repr(self) -> str:
        """Shows the width of the stream and the segments of a clip."""
        return f"channels={self.channels}, segments={self.segments}"


def by_clip(block: nn.Module, frames: Tensor, segments: int) -> Tensor:
    """Groups frames by clip, `(frame, …)` → `(clip, segment, …)`; fewer than `segments` are one shorter clip.

    Args:
        block: Named by errors.
        frames: A tensor whose first axis is clip × segment.
        segments: Segments of a clip.

    Raises:
        ValueError: If the frames are not whole clips.
    """
    count = frames.shape[0]
    if count > segments and count % segments:
        raise ValueError(
            f"{type(block).__name__}: {count} frames are not whole clips of segments={segments}: pass whole clips, or "
            f"one shorter clip alone."
        )
    # a comparison, not `min`: that would stay in the shapes of a graph for any number of clips
    length = segments if count >= segments else count
    return torch.unflatten(frames, 0, (-1, length))
