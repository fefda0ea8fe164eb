"""A training step: its floor, the fast evaluation, the direct one, and lite, in turns."""

from collections.abc import Callable, Mapping
from functools import partial

from crossmodal.injection import fast_linears
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
    "direct": "the same, evaluated directly",
    "lite": "`lite`",
}


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One: all variants take turns."""
    return {"one clip of ten frames": partial(compared, setting)}


def compared(setting: Setting) -> Found:
    """Seconds of forward, loss and backward; of the floor, of both encoders alone."""
    fast, lighter = (fast_linears(setting.model(recipe)) for recipe in (dg_sct_released, lite))
    models = {"fast": fast, "direct": setting.model(direct), "lite": lighter}
    runs = {"floor": floor_of(setting, fast)} | {name: step_of(setting, model) for name, model in models.items()}
    return {"seconds": in_turns(runs, rounds=setting.rounds, device=setting.device, shortest=0)}


def table(found: Mapping[str, Found]) -> str:
    """A row a variant."""
    seconds = next(iter(found.values()))["seconds"]
    head = ["one training step", "time", "of the timed floor", "of the direct evaluation"]
    rows = [
        [WORDS[name], spread(of), *(f"{ratio(of, seconds[other]):.2f}" for other in ("floor", "direct"))]
        for name, of in seconds.items()
    ]
    return markdown(head, rows)
