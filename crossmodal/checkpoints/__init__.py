"""Floor 4: weights of others, brought in strictly; and adapter-only files."""

from .adapters import adapter_state as adapter_state
from .adapters import load_adapters as load_adapters
from .adapters import read_header as read_header
from .adapters import save_adapters as save_adapters
from .released_adapter import from_released_adapter as from_released_adapter
from .released_heads import from_released_events as from_released_events
from .released_heads import from_released_temporal as from_released_temporal
