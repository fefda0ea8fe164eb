"""Head that labels every segment by itself: two linear layers on both modalities."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class SegmentHead(nn.Module):
    """Computes logits of labels for every segment: both vectors, visual first, by two linear layers.

    Nothing stands between the layers, so that they are one matrix of rank `hidden` at most. No segment sees another.

    Shapes: visual `(clip, segment, visual)`, audio `(clip, segment, audio)` → logits `(clip, segment, label)`.
    Source: the head of LAVisH's released code for AVE.
    """

    def __init__(self, visual: int, audio: int, labels: int, *, hidden: int = 512):
        """Builds the head.

        Args:
            visual: Width of the pooled visual stream.
            audio: Width of the pooled audio stream.
            labels: Number of labels, background included.
            hidden: Units between the layers.
        """
        super().__init__()
        self.widths = (visual, audio)
        self.project = nn.Linear(visual + audio, hidden)
        self.readout = nn.Linear(hidden, labels)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip segment label"]:
        """Computes the logits of segments."""
        check_width(self, "visual", visual, self.widths[0])
        check_width(self, "audio", audio, self.widths[1])
        return self.readout(self.project(torch.cat([visual, audio], dim=2)))
