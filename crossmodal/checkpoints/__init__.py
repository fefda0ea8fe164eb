"""Floor 4: weights of others, brought in strictly; and adapter-only files."""

from .released_adapter import from_released_adapter as from_released_adapter
from .released_heads import from_released_events as from_released_events
from .released_heads import from_released_temporal as from_released_temporal
