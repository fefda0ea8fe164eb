"""Floor 4: what stands on the streams of two encoders: pooling, temporal attention, one head a task."""

from .clips import ClipHead as ClipHead
from .events import EventHead as EventHead
from .events import Events as Events
from .events import decode_events as decode_events
from .events import event_loss as event_loss
from .events import event_losses as event_losses
from .pooling import pooled as pooled
from .pooling import pooling_weights as pooling_weights
from .temporal import TemporalAttention as TemporalAttention
