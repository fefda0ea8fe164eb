"""Head of clip classification: one class per clip from the pooled streams of both modalities."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class ClipHead(nn.Module):
    """Normalises both modalities per segment, averages them over the clip and reads them by one linear layer.

    Shapes: visual `(clip, segment, visual)`, audio `(clip, segment, audio)` → logits `(clip, class)`.
    """

    def __init__(self, visual: int, audio: int, classes: int):
        """Builds the head.

        Args:
            visual: Width of the pooled visual stream.
            audio: Width of the pooled audio stream.
            classes: Number of classes.
        """
        super().__init__()
        self.visual_norm, self.audio_norm = nn.LayerNorm(visual), nn.LayerNorm(audio)
        self.readout = nn.Linear(visual + audio, classes)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip label"]:
        """Computes the logits of clips."""
        check_width(self, "visual", visual, self.visual_norm.normalized_shape[0])
        check_width(self, "audio", audio, self.audio_norm.normalized_shape[0])
        return self.readout(torch.cat([self.visual_norm(visual), self.audio_norm(audio)], dim=2).mean(1))
