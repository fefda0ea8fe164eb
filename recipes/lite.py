"""DG-SCT for little: the released schedule and modulation with adapters of a sixteenth of the parameters.

Every adapter is shown the mean of its guide (no token mixer), projected through few units; channel guidance is of low
rank, spatial guidance looks at a sixteenth of the channels. A training step costs little more than its floor, the two
frozen encoders.
"""

from functools import partial

from crossmodal.adapters import ResidualModulated
from crossmodal.alignment import low_rank_pooled_alignment
from crossmodal.guidance import LowRankChannelGuidance, SpatialGuidance
from crossmodal.recipes.dg_sct_released import dg_sct_released


def narrow_spatial(channels: int, cue_channels: int, *, reduction: int = 16) -> SpatialGuidance:
    """Builds spatial guidance that looks at `channels // reduction` features of stream and cue.

    Args:
        channels: Width of the stream.
        cue_channels: Width of the cue.
        reduction: Must divide `channels`.
    """
    return SpatialGuidance(channels, cue_channels, reduction=reduction)


lite = partial(
    dg_sct_released,
    channel=LowRankChannelGuidance,
    spatial=narrow_spatial,
    align=low_rank_pooled_alignment,
    latents=8,
    order=ResidualModulated,
)
"""Couples two frozen encoders by means and low ranks; the keywords are those of `dg_sct_released`.

On Swin-V2-L and HTS-AT the couplers hold 11,765,208 parameters, and know no grid.
"""
