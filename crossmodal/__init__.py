"""Typed, shape-checked PyTorch blocks with which one frozen encoder is guided by another.

What one needs first:

    ChannelGuidance, SpatialGuidance, FrequencyGuidance    (stream, cue) -> map in [0, 1]
    SegmentGuidance, ClipGuidance                          the same for seconds
    Modulation          stream * (base + sum of weight * map)
    guided_adapter      (stream, guide) -> residual and maps, from two Sites; returns Adapted
    couple              two encoders, frozen and guided both ways by adapters of one factory
    Coupler, Lockstep   the same from its parts, section by section (Encoder, Step)
    Injected            guidance into a model that was not written for it; sections_of cuts one into an Encoder
    freeze              what must not learn
    check_guidance, check_adapter    do my own blocks keep the laws?
    shaped, shape_checks             checked forwards, and the switch that turns the checks off
    cost                what a training step costs, before any weight exists

In forty lines they are a model, `crossmodal.recipes.dg_sct.dg_sct(visual, audio, spatial=MyGuidance)`;
`crossmodal --help` shows the commands. All else stands on the floors:

    guidance, alignment, adapters, injection      what guides, and where it is put
    encoders, attention, audio, heads             what is guided, and what reads the result
    data, metrics, drawing, checkpoints           clips, scores, pictures, weights
    site, shapes, testing, ledger                 what a token means; checks; laws; costs

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
}

__all__ = [*_NAMES, *FLOORS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in FLOORS:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its floors are {', '.join(FLOORS)}.")


def __dir__() -> list[str]:
    # Not what this file is made of: a tab shows the names above and the floors, no helper and no submodule.
    return list(__all__)
