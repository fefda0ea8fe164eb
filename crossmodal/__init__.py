"""Typed, shape-checked PyTorch blocks with which one frozen encoder is guided by another.

The floors are imported when they are first touched: `import crossmodal` costs next to nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

FLOORS = (
    "adapters",
    "alignment",
    "attention",
    "audio",
    "checkpoints",
    "data",
    "drawing",
    "encoders",
    "guidance",
    "heads",
    "injection",
    "ledger",
    "metrics",
    "shapes",
    "site",
    "testing",
)
_NAMES = {
    "Adapted": "adapters",
    "guided_adapter": "adapters",
    "Encoder": "injection",
    "Injected": "injection",
    "Lockstep": "injection",
    "sections_of": "injection",
    "freeze": "injection",
    "cost": "ledger",
    "shape_checks": "shapes",
    "shaped": "shapes",
    "Site": "site",
}

__all__ = [*FLOORS, *_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in FLOORS:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its floors are {', '.join(FLOORS)}.")


def __dir__() -> list[str]:
    return sorted(__all__)
