"""The groups of measurements: each a module with `measurements(setting)` and `table(found)`."""

from collections.abc import Callable, Mapping

from ..results import Found
from ..setting import Setting
from . import (
    attention,
    compiled,
    counts,
    couplers,
    encoders,
    fidelity,
    films,
    memory,
    precision,
    products,
    profile,
    questions,
    scaling,
    steps,
    throughput,
)

Measurements = dict[str, Callable[[], Found]]
"""Name → what measures it."""

GROUPS: Mapping[str, tuple[Callable[[Setting], Measurements], Callable[[Mapping[str, Found]], str]]] = {
    "counts": (counts.measurements, counts.table),
    "profile": (profile.measurements, profile.table),
    "couplers": (couplers.measurements, couplers.table),
    "products": (products.measurements, products.table),
    "attention": (attention.measurements, attention.table),
    "encoders": (encoders.measurements, encoders.table),
    "fidelity": (fidelity.measurements, fidelity.table),
    "steps": (steps.measurements, steps.table),
    "memory": (memory.measurements, memory.table),
    "scaling": (scaling.measurements, scaling.table),
    "throughput": (throughput.measurements, throughput.table),
    "films": (films.measurements, films.table),
    "questions": (questions.measurements, questions.table),
    "precision": (precision.measurements, precision.table),
    "compiled": (compiled.measurements, compiled.table),
}
"""Name → what it measures, and how that is shown."""

QUIET = (
    "couplers",
    "products",
    "attention",
    "encoders",
    "steps",
    "scaling",
    "throughput",
    "films",
    "precision",
    "compiled",
)
"""Groups that measure time, and so need a quiet machine."""

ONCE = ("throughput", "films")
"""Those of them whose figures are of one stretch of clips, not of rounds."""
