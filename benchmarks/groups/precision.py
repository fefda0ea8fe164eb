"""A training step in float32 and in bfloat16, with and without compilation; on a GPU, by xformers too."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial

import torch

from crossmodal.injection import fast_linears, half_precision
from crossmodal.tasks.event_system import AudioVisualEvents

from ..direct import direct
from ..measuring import in_turns
from ..results import Found
from ..setting import Setting, step_of
from ..tables import markdown, ratio, spread


def as_it_is(model: AudioVisualEvents) -> AudioVisualEvents:
    """All in float32."""
    return model


def encoders_halved(model: AudioVisualEvents) -> AudioVisualEvents:
    """The frozen encoders in bfloat16, the couplers in float32."""
    for name in model.coupled.streams:
        half_precision(model.coupled.encoder(name))
    return model


PRECISIONS = {
    "float32": (as_it_is, None),
    "encoders in bfloat16": (encoders_halved, None),
    "autocast to bfloat16": (as_it_is, torch.bfloat16),
}
"""Name → what is done to the model, and the dtype of autocast."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a precision."""
    return {name: partial(compared, setting, name) for name in PRECISIONS}


def compared(setting: Setting, precision: str) -> Found:
    """Seconds of a step: direct, fast, compiled whole, and by xformers where there is a GPU."""
    prepare, dtype = PRECISIONS[precision]
    models = {"direct": setting.model(direct), "fast": fast_linears(setting.model())}
    if setting.size == "full" or setting.device != "cpu":  # minutes of compiling, for milliseconds at tiny size
        models["compiled"] = compiled_whole(setting.model())
    if setting.device != "cpu":
        models["xformers"] = by_xformers(setting.model())
    for model in models.values():
        prepare(model)
    runs = {name: partial(within, dtype, setting.device, step_of(setting, model)) for name, model in models.items()}
    return {"seconds": in_turns(runs, rounds=max(5, setting.rounds), device=setting.device, shortest=0)}


def within(dtype: torch.dtype | None, device: str, step: Callable[[], None]) -> None:
    """A step under autocast, or without where `dtype` is `None`."""
    with torch.autocast(device, dtype=dtype) if dtype else nullcontext():
        step()


def compiled_whole(model: AudioVisualEvents) -> AudioVisualEvents:
    """The lockstep as one compiled graph."""
    model.coupled.forward = torch.compile(model.coupled.forward, fullgraph=True)
    return model


def by_xformers(model: AudioVisualEvents) -> AudioVisualEvents:
    """Both encoders' windows attended by xformers."""
    for module in model.modules():
        if hasattr(module, "backend"):
            module.backend = "xformers"
    return model


def table(found: Mapping[str, Found]) -> str:
    """A row a precision and variant."""
    rows = [
        [f"{precision}, {name}", spread(of), f"{ratio(of, each['seconds']['direct']):.2f}"]
        for precision, each in found.items()
        for name, of in each["seconds"].items()
    ]
    return markdown(["one training step", "time", "of the direct evaluation"], rows)
