"""Typed, shape-checked PyTorch blocks with which one frozen encoder is guided by another.

What one needs first:

    ChannelGuidance, SpatialGuidance, FrequencyGuidance    (stream, cue) -> map in [0, 1]
    SegmentGuidance, ClipGuidance                          the same for seconds
    Modulation          stream * (base + sum of weight * map)
    guided_adapter      (stream, guide) -> residual and maps, from two Sites; returns Adapted
    couple              two encoders, an adapter on every edge: frozen, paired, coupled in one call
    Coupler, Lockstep   what it is made of: two encoders, section by section, guided both ways (Encoder, Step)
    Injected            guidance into a model that was not written for it; sections_of cuts one into an Encoder
    freeze              no gradients, evaluation mode for good
    check_guidance, check_adapter    checks whether a block of yours keeps the laws
    shaped, shape_checks             checked forwards, and the switch that turns the checks off
    cost                cost of a training step, before any weight exists
    load, save          a trained system from a run, a folder or a hub in one call, and as a folder

The first page of the documentation makes a model of them in twenty lines; `crossmodal.recipes.dg_sct.dg_sct` is the
same with every part a keyword. `crossmodal --help` lists the commands. The floors:

    guidance, alignment, adapters, injection      guidance, and where it is added
    encoders, attention, audio, heads             what is guided, and what reads the result
    data, metrics, drawing, checkpoints           clips, scores, figures, weights
    site, shapes, testing, ledger                 what a token means; checks; laws; costs

Above them stand `crossmodal.tasks`, `training`, `evaluation`, `sharing`, `cli` and `recipes`, which need the extra
`recipes`.
A floor is imported when it is first touched: `import crossmodal` alone costs next to nothing.
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
    "ChannelGuidance": "guidance",
    "SpatialGuidance": "guidance",
    "FrequencyGuidance": "guidance",
    "SegmentGuidance": "guidance",
    "ClipGuidance": "guidance",
    "Modulation": "adapters",
    "guided_adapter": "adapters",
    "Adapted": "adapters",
    "Site": "site",
    "Coupler": "injection",
    "Lockstep": "injection",
    "Encoder": "injection",
    "Step": "injection",
    "couple": "injection",
    "Injected": "injection",
    "sections_of": "injection",
    "freeze": "injection",
    "check_guidance": "testing",
    "check_adapter": "testing",
    "shaped": "shapes",
    "shape_checks": "shapes",
    "cost": "ledger",
    "load": "sharing",
    "save": "sharing",
}

__all__ = [*_NAMES, *FLOORS, "__version__"]


def __getattr__(name: str) -> Any:
    """Imports a floor, or the floor of a name, when it is first asked for."""
    if name in FLOORS:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its floors are {', '.join(FLOORS)}.")


def __dir__() -> list[str]:
    """Lists the names above and the floors."""
    # Not what this file is made of: a tab shows the names above and the floors, no helper and no submodule.
    return list(__all__)
