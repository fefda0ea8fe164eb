"""DG-SCT for little: the released schedule and modulation with adapters of a sixteenth of the parameters.

Every adapter is shown the mean of its guide (no token mixer), projected through few units; channel guidance is of low
rank, spatial guidance looks at a sixteenth of the channels. A training step costs little more than its floor, the two
frozen encoders.
"""

from collections.abc import Callable

from crossmodal.adapters import (
    AdapterFactory,
    AlignmentFactory,
    Bottleneck,
    Control,
    GuidanceFactory,
    Sized,
    true_guide,
)
from crossmodal.alignment import low_rank_pooled_alignment
from crossmodal.guidance import LowRankChannelGuidance, SpatialGuidance
from crossmodal.injection import Edge, Encoder, Lockstep, Step, paired_as_released
from crossmodal.recipes.dg_sct_released import dg_sct_released


def narrow_spatial(channels: int, cue_channels: int, *, reduction: int = 16) -> SpatialGuidance:
    """Spatial guidance that looks at `channels // reduction` features of stream and cue."""
    return SpatialGuidance(channels, cue_channels, reduction=reduction)


def lite(
    visual: Encoder,
    audio: Encoder,
    *,
    channel: GuidanceFactory | None = LowRankChannelGuidance,
    spatial: GuidanceFactory | None = narrow_spatial,
    temporal: GuidanceFactory | None = None,
    alpha: float = 0.3,
    beta: float = 0.05,
    gamma: float = 0.05,
    align: AlignmentFactory = low_rank_pooled_alignment,
    latents: int | Sized = 8,
    bottleneck: Sized = Bottleneck,
    adapter: AdapterFactory | None = None,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_released,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    """Two frozen encoders that guide each other by means and low ranks; keywords as in `dg_sct_released`.

    On Swin-V2-L and HTS-AT the couplers hold 11,765,208 parameters, and know no grid.
    """
    return dg_sct_released(
        visual,
        audio,
        channel=channel,
        spatial=spatial,
        temporal=temporal,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        align=align,
        latents=latents,
        bottleneck=bottleneck,
        adapter=adapter,
        pairing=pairing,
        edges=edges,
        guide=guide,
    )
