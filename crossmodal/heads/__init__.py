"""Floor 4: heads on the streams of two encoders: pooling over tokens, temporal attention, one head for each task."""

from .clips import ClipHead as ClipHead
from .events import EventHead as EventHead
from .events import Events as Events
from .events import decode_events as decode_events
from .events import event_loss as event_loss
from .events import event_losses as event_losses
from .pooling import MapPooling as MapPooling
from .pooling import MeanPooling as MeanPooling
from .pooling import PoolFactory as PoolFactory
from .pooling import pool_tokens as pool_tokens
from .pooling import pooling_weights as pooling_weights
from .temporal import TemporalAttention as TemporalAttention
