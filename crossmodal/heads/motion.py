"""Motion beside the picture: features of a video network, one vector per second, fused with those of frames."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class MotionFusion(nn.Module):
    """Fuses visual and motion vectors: `Linear(concat(visual, Linear(motion)))`, no activations.

    Shapes: visual `(clip, segment, width)`, motion `(clip, segment, motion)` → `(clip, segment, width)`.
    Source: HAN (ECCV 2020); MGN and DG-SCT's parsing do the same.
    """

    def __init__(self, motion: int, width: int):
        """Builds both projections.

        Args:
            motion: Channels of the motion features; 512 of R(2+1)D-18.
            width: Channels of the visual ones.
        """
        super().__init__()
        self.project, self.fuse = nn.Linear(motion, width), nn.Linear(2 * width, width)

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], motion: Float[Tensor, "clip segment motion_channel"]
    ) -> Float[Tensor, "clip segment width"]:
        """Fuses the vectors."""
        check_width(self, "motion", motion, self.project.in_features)
        return self.fuse(torch.cat([visual, self.project(motion)], dim=2))


class NoMotion(nn.Module):
    """Leaves motion features out, and returns the visual vectors as they are."""

    @shaped
    def forward(
        self, visual: Float[Tensor, "clip segment width"], motion: Float[Tensor, "clip segment motion_channel"]
    ) -> Float[Tensor, "clip segment width"]:
        """Returns `visual`."""
        return visual


def motion_fusion(motion: int, width: int) -> nn.Module:
    """Builds `MotionFusion`, or `NoMotion` where there are no motion features: `motion` is 0."""
    return MotionFusion(motion, width) if motion else NoMotion()
