"""Floor 1: the guide brought to the stream's grid and width."""

from .alignment import Alignment as Alignment
from .alignment import as_alignment as as_alignment
from .identity import IdentityAlignment as IdentityAlignment
from .identity import identity_alignment as identity_alignment
from .learned import LearnedAlignment as LearnedAlignment
from .learned import learned_alignment as learned_alignment
from .pooled import LowRankLinear as LowRankLinear
from .pooled import PooledAlignment as PooledAlignment
from .pooled import low_rank_pooled_alignment as low_rank_pooled_alignment
from .pooled import pooled_alignment as pooled_alignment
from .resampled import ResampledAlignment as ResampledAlignment
from .resampled import resampled_alignment as resampled_alignment
