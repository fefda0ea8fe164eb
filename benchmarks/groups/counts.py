"""Whole training steps counted: the released recipe directly, fast, with less kept, and lite, against their floor."""

from collections.abc import Callable, Mapping
from functools import partial

from crossmodal.ledger import Cost, cost

from ..results import Found
from ..setting import Setting
from ..tables import giga, markdown
from ..variants import VARIANTS, built

OWN = "`dg_sct_released`"
HEAD = (
    "one training step",
    "M in couplers",
    "their GFLOP",
    "their GB saved",
    "GFLOP",
    "GB saved",
    "of the floor's GFLOP",
)


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a variant."""
    return {name: partial(counted, setting, name) for name in VARIANTS}


def counted(setting: Setting, name: str) -> Found:
    """Operations and bytes of a step, of its couplers, and of its floor."""
    model = built(name, setting, device="meta")
    found: Cost = cost(model, setting.batch(model, device="meta"))
    parts = {"couplers": found["coupled.couplers"], "step": found.total, "floor": found.floor}
    counts = {part: {"operations": share.step, "saved": share.saved} for part, share in parts.items() if share}
    return {"parameters": parts["couplers"].parameters, **counts}


def table(found: Mapping[str, Found]) -> str:
    """A row a variant, and the floor: that of the fast encoders, for all."""
    floor = found[OWN]["floor"] if OWN in found else next(iter(found.values()))["floor"]
    rows = []
    for name, of in found.items():
        parts = [of["couplers"], of["step"]]
        numbers = [giga(part[what]) for part in parts for what in ("operations", "saved")]
        over = of["step"]["operations"] / floor["operations"]
        rows.append([name, f"{of['parameters'] / 1e6:.2f}", *numbers, f"{over:.2f}"])
    rows.append(["*the floor*", "", "", "", giga(floor["operations"]), giga(floor["saved"]), "1.00"])
    return markdown(HEAD, rows)
