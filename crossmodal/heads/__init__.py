"""Floor 4: what stands on the streams of two encoders: pooling, temporal attention, one head a task."""

from .pooling import pooled as pooled
from .pooling import pooling_weights as pooling_weights
