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
    "direct": "the same, evaluated directly",
    "paper": "`dg_sct`",
    "lite": "`lite`",
}


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One: all variants take turns."""
    return {"one clip of ten frames": partial(compared, setting)}


def compared(setting: Setting) -> Found:
    """Seconds of forward, loss and backward; of the floor, of both encoders alone."""
    recipes = {"fast": dg_sct_released, "direct": direct, "paper": dg_sct, "lite": lite}
    models = {name: setting.model(recipe) for name, recipe in recipes.items()}
    for name in ("fast", "paper", "lite"):
        fast_linears(models[name])
    runs = {"floor": floor_of(setting, models["fast"])}
    runs |= {name: step_of(setting, model) for name, model in models.items()}
    if setting.device == "cpu":  # elsewhere nothing is chosen
        runs["own"] = partial(by_torch, runs["fast"])
    in_order = {name: runs[name] for name in WORDS if name in runs}
    return {"seconds": in_turns(in_order, rounds=setting.rounds, device=setting.device, shortest=0)}


def by_torch(step: Callable[[], None]) -> None:
    """Runs a step with all products by torch's own library: what it gains then, it gains by doing less."""
    with patch.dict(os.environ, {VARIABLE: "torch"}):
        step()


def table(found: Mapping[str, Found]) -> str:
    """A row a variant."""
    seconds = next(iter(found.values()))["seconds"]
    head = ["one training step", "time", "of the timed floor", "of the direct evaluation"]
    rows = [
        [WORDS[name], spread(of), *(f"{ratio(of, seconds[other]):.2f}" for other in ("floor", "direct"))]
        for name, of in seconds.items()
    ]
    return markdown(head, rows)
