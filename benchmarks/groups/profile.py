"""What a training step of both forms consists of, counted: operations and bytes moved by part, couplers by block."""

from collections.abc import Callable, Mapping
from functools import partial

from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released

from ..moved import KINDS, PARTS, by_part, moved_by, of_couplers
from ..results import Found
from ..setting import Setting
from ..tables import giga, markdown

FORMS = {"`dg_sct_released`": dg_sct_released, "`dg_sct`": dg_sct}
LARGEST = 12
"""Blocks of couplers that the table shows."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a form."""
    return {name: partial(profiled, setting, name) for name in FORMS}


def profiled(setting: Setting, name: str) -> Found:
    """Operations, and bytes read and written, of a step without data."""
    model = setting.model(FORMS[name], device="meta")
    shares, moved = moved_by(model, setting.batch(model, device="meta"))
    return {"parts": by_part(shares, moved), "couplers": of_couplers(shares)}


def table(found: Mapping[str, Found]) -> str:
    """Two tables: parts, and the largest blocks of the couplers."""
    kinds = ("products", *KINDS, "passes")
    rows = []
    for name, of in found.items():
        for part in PARTS:
            here = of["parts"][part]
            rows.append([f"{name}, {part}", giga(here["operations"]), *(giga(here.get(kind, 0)) for kind in kinds)])
        total = [sum(of["parts"][part].get(kind, 0) for part in PARTS) for kind in ("operations", *kinds)]
        rows.append([f"{name}, **whole step**", *map(giga, total)])
    parts = markdown(["one training step", "GFLOP", *(f"GB moved by {kind}" for kind in kinds)], rows)
    largest = [
        [name, block, giga(operations)]
        for name, of in found.items()
        for block, operations in list(of["couplers"].items())[:LARGEST]
    ]
    return f"{parts}\n\n{markdown(['form', 'couplers, largest first', 'GFLOP'], largest)}"
