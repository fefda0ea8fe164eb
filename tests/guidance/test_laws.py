"""Every guidance keeps every law."""

from functools import partial

from crossmodal.guidance import (
    ChannelGuidance,
    ClipGuidance,
    FrequencyGuidance,
    LowRankChannelGuidance,
    SegmentGuidance,
    SpatialGuidance,
)
from crossmodal.testing import parametrize_laws


@parametrize_laws(
    ChannelGuidance,
    LowRankChannelGuidance,
    SpatialGuidance,
    FrequencyGuidance,
    SegmentGuidance,
    partial(ClipGuidance, segments=3, hidden=2),
)
def test_laws(law):
    law()
