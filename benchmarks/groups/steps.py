"""A training step: its floor, the fast evaluation, the direct one, the paper's form, and lite, in turns."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from unittest.mock import patch

from crossmodal.injection import fast_linears
from crossmodal.injection.execution.kernel_choice import VARIABLE
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lite import lite

from ..direct import direct
from ..measuring import in_turns
from ..results import Found
from ..setting import Setting, floor_of, step_of
from ..tables import markdown, ratio, spread

WORDS = {
    "floor": "*the floor*",
    "fast": "`dg_sct_released`",
    "own": "the same, products by torch's own library",
    "direct": "`dg_sct_released`, evaluated directly",
    "paper": "`dg_sct`",
    "lite": "`lite`",
}


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """Two, each beside the direct evaluation: all models at a time are near what 24 GB of memory hold."""
    return {"released form": partial(released_form, setting), "other forms": partial(other_forms, setting)}


def released_form(setting: Setting) -> Found:
    """Seconds of forward, loss and backward; of the floor, of both encoders alone."""
    fast = fast_linears(setting.model(dg_sct_released))
    runs = {"floor": floor_of(setting, fast), "fast": step_of(setting, fast)}
    if setting.device == "cpu":  # elsewhere nothing is chosen
        runs["own"] = partial(by_torch, runs["fast"])
    return _in_turns(runs, setting)


def other_forms(setting: Setting) -> Found:
    """Seconds of forward, loss and backward of the paper's form and of `lite`."""
    models = {"paper": fast_linears(setting.model(dg_sct)), "lite": fast_linears(setting.model(lite))}
    return _in_turns({name: step_of(setting, model) for name, model in models.items()}, setting)


def _in_turns(runs: Mapping[str, Callable[[], None]], setting: Setting) -> Found:
    """Times variants and the direct evaluation in turns."""
    every = {**runs, "direct": step_of(setting, setting.model(direct))}
    return {"seconds": in_turns(every, rounds=setting.rounds, device=setting.device, shortest=0)}


def by_torch(step: Callable[[], None]) -> None:
    """Runs a step with all products by torch's own library: what it gains then, it gains by doing less."""
    with patch.dict(os.environ, {VARIABLE: "torch"}):
        step()


def table(found: Mapping[str, Found]) -> str:
    """A row a variant and measurement."""
    head = ["one training step", "time", "of the timed floor", "of the direct evaluation"]
    rows = []
    for measured in found.values():
        seconds = measured["seconds"]
        for name, of in seconds.items():
            floor = f"{ratio(of, seconds['floor']):.2f}" if "floor" in seconds else "–"
            rows.append([WORDS[name], spread(of), floor, f"{ratio(of, seconds['direct']):.2f}"])
    return markdown(head, rows)
