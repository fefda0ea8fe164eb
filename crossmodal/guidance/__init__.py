"""Floor 1: blocks that look at a stream and a cue and return a map in [0, 1]; they never apply it."""

from .channel import ChannelGuidance as ChannelGuidance
from .frequency import FrequencyGuidance as FrequencyGuidance
from .low_rank import LowRankChannelGuidance as LowRankChannelGuidance
from .spatial import SpatialGuidance as SpatialGuidance
from .temporal import ClipGuidance as ClipGuidance
from .temporal import SegmentGuidance as SegmentGuidance
