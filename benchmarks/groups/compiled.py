"""`torch.compile` of the tiny model on this device: what the first step costs, and what a step gains."""

import os
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch._inductor import config as inductor

from crossmodal.adapters.guided import GuidedAdapter
from crossmodal.injection import fast_linears
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.event_system import AudioVisualEvents

from ..measuring import in_turns
from ..results import Found
from ..setting import Setting, step_of
from ..tables import markdown, ratio, spread

CLIPS = 8


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a way to compile."""
    ways = {"every adapter alone": adapters_compiled, "the whole model, one graph": whole_compiled}
    return {name: partial(measured, setting._replace(size="tiny"), way) for name, way in ways.items()}


def adapters_compiled(model: AudioVisualEvents) -> None:
    """Compiles every adapter as a region: those of one size share what is compiled."""
    for module in model.modules():
        if isinstance(module, GuidedAdapter):
            module.compile(fullgraph=True)


def whole_compiled(model: AudioVisualEvents) -> None:
    """Compiles everything behind the inputs as one graph."""
    model.score = torch.compile(model.score, fullgraph=True)  # type: ignore[method-assign]


def measured(setting: Setting, way: Callable[[AudioVisualEvents], None]) -> Found:
    """Processor seconds of the first step, compilers included, and seconds of later ones beside eager ones."""
    torch.compiler.reset()
    eager, compiled = (setting.model(dg_sct) for _ in range(2))
    way(compiled)
    steps = {"eager": step_of(setting, fast_linears(eager), CLIPS), "compiled": step_of(setting, compiled, CLIPS)}
    # nothing from an earlier run, and no compiler in a process that is not waited for
    with inductor.patch(force_disable_caches=True, compile_threads=1):
        before = processor_seconds()
        steps["compiled"]()
        first = processor_seconds() - before
    return {"first": first, "seconds": in_turns(steps, rounds=max(5, setting.rounds), device=setting.device)}


def processor_seconds() -> float:
    """Seconds of this process and of the compilers that it has run and waited for."""
    return sum(os.times()[:4])


def table(found: Mapping[str, Found]) -> str:
    """A row a way."""
    head = ["tiny `dg_sct`, eight clips", "first step", "later steps", "eager", "compiled / eager"]
    rows = [
        [name, f"{of['first']:.0f} s", *map(spread, (seconds["compiled"], seconds["eager"])), f"{quotient:.2f}"]
        for name, of in found.items()
        for seconds in [of["seconds"]]
        for quotient in [ratio(seconds["compiled"], seconds["eager"])]
    ]
    return markdown(head, rows)
