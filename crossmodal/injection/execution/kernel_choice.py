"""Chooses the library of large products on the CPU by a short timing, kept on disk for its machine."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...io import folder_lock, whole_file
from .fine_clock import Clock, fine_clock

LIBRARIES = ("torch", "onednn")
VARIABLE = "CROSSMODAL_PRODUCTS"
"""Environment variable that names a library for all large products: nothing is timed then."""
GAIN = 0.95
"""Share of torch's own time below which oneDNN is taken: a tie must not fall otherwise at the next timing."""
ROUNDS = 5
OF_ENVIRONMENT = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_THREADS",
)
"""Variables that change which library is the faster. How threads wait, which a command chooses anew each time, is none:
both libraries wait alike, and a run that goes on must compute as it began."""


class ProductClass(NamedTuple):
    """Class of products that are taken to be alike.

    Attributes:
        form: `"linear"`, `x @ Wᵀ`; `"times"`, `x @ M`; or `"gradient"`, `leftᵀ @ right`, of a weight.
        few_rows: Whether the rows are at most twice the smaller side of the matrix.
    """

    form: str
    few_rows: bool

    def __str__(self) -> str:
        return f"{self.form}, {'few' if self.few_rows else 'many'} rows"


Seconds = dict[str, float]
"""Library → the shortest time of a probe."""

PROBES: Mapping[ProductClass, tuple[int, int, int]] = {
    ProductClass(form, few_rows): (320, 1024, 1536) if few_rows else (4096, 192, 384)
    for form in ("linear", "times", "gradient")
    for few_rows in (False, True)
}
"""Class → rows, and sides of the matrix, of the product that is timed for it: milliseconds each."""

_known: dict[tuple[object, ...], dict[ProductClass, str]] = {}


def product_class(form: str, rows: int, one: int, other: int) -> ProductClass:
    """Returns the class of a product of so many rows with a matrix of these sides."""
    return ProductClass(form, rows <= 2 * min(one, other))


def library_for(kind: ProductClass) -> str:
    """Returns the library that computes products of a class here; the first call on a machine times all classes."""
    if (named := os.environ.get(VARIABLE)) is not None:
        if named not in LIBRARIES:
            raise ValueError(f"{VARIABLE}={named!r} must be one of {', '.join(LIBRARIES)}, or not be set.")
        return named
    here = torch.get_num_threads(), _precision()
    if here not in _known:  # no lock: a forked reader of data would wait for a thread that it does not have
        _known.setdefault(here, {of: faster_of(seconds) for of, seconds in measured_once().items()})
    return _known[here][kind]


def faster_of(seconds: Mapping[str, float]) -> str:
    """Returns `"onednn"` where it is clearly faster, else `"torch"`, so that no product is slower than torch's own."""
    return "onednn" if seconds and seconds["onednn"] < GAIN * seconds["torch"] else "torch"


def measured_once(folder: Path | None = None, clock: Clock | None = None) -> dict[ProductClass, Seconds]:
    """Returns the times of all probes under these conditions, from the disk where they were measured before.

    Where the folder cannot be written, nothing is timed and no time is returned: a run that goes on in another process
    might choose otherwise, and give other last digits.

    Args:
        folder: Where they are kept; `cache_folder()` by default.
        clock: Returns seconds; `fine_clock()` by default.
    """
    conditions = measuring_conditions()
    digest = hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()[:16]
    try:
        place = folder or cache_folder()
        file = place / f"products-{digest}.json"
        if (known := _read(file, conditions)) is not None:
            return known
        place.mkdir(parents=True, exist_ok=True)
        with folder_lock(place, on_wait=lambda: None):
            if (known := _read(file, conditions)) is not None:  # another process was first
                return known
            with whole_file(file) as draft:
                draft.touch()  # before anything is timed: an existing folder may be read-only
                found = {kind: measured(kind, clock or fine_clock()) for kind in PROBES}
                seconds = {str(kind): times for kind, times in found.items()}
                draft.write_text(json.dumps({"conditions": conditions, "seconds": seconds}, indent=1) + "\n", "utf-8")
    except OSError:
        return {kind: {} for kind in PROBES}
    return found


def measured(kind: ProductClass, clock: Clock) -> Seconds:
    """Times one probe by every library, in turns, after a call of each that is not counted."""
    runs = {library: _run(kind, library) for library in LIBRARIES}
    found = dict.fromkeys(LIBRARIES, float("inf"))
    with torch.no_grad():
        for turn in range(ROUNDS + 1):
            for library, run in runs.items():
                begun = clock()
                run()
                taken = clock() - begun
                found[library] = min(found[library], taken) if turn else found[library]
    return found


def product_by(library: str, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns `input @ weightᵀ + bias`, out of autograd, by one library."""
    if library == "torch":
        return F.linear(input, weight, bias)
    # The operator that torch.compile puts in the place of a linear layer; private, hence called here alone.
    made: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "none")
    return made


def measuring_conditions() -> dict[str, object]:
    """Returns all that the times depend on: processor, builds of the libraries, threads, environment, probes."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "libraries": hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16],
        "threads": torch.get_num_threads(),
        "precision": _precision(),
        "environment": {name: os.environ[name] for name in OF_ENVIRONMENT if name in os.environ},
        "probes": {str(kind): list(sizes) for kind, sizes in PROBES.items()},
    }


def onednn_is_on() -> bool:
    """Returns whether this torch has oneDNN, and `torch.backends.mkldnn` has not turned it off."""
    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def cache_folder() -> Path:
    """Returns the folder of what is measured once: `crossmodal` in `$XDG_CACHE_HOME`, by default `~/.cache`.

    Raises:
        FileNotFoundError: If the user has no home folder, as a container may run one.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossmodal"
    except RuntimeError as error:
        raise FileNotFoundError("there is no home folder: set XDG_CACHE_HOME") from error


def explain_products(folder: Path | None = None) -> str:
    """Prints which library computes large float32 products on this CPU, and the times that this follows from.

    Args:
        folder: Where times are kept; by default `crossmodal` in `$XDG_CACHE_HOME`, or in `~/.cache`.

    Returns:
        What it printed.
    """
    named = os.environ.get(VARIABLE)
    lines = [f"large products on {_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}:"]
    if not onednn_is_on():
        lines.append("  all by torch: torch.backends.mkldnn is not available, or not enabled")
    elif named is not None:
        lines.append(f"  all by {library_for(next(iter(PROBES)))}: {VARIABLE} says so")
    else:
        for kind, seconds in measured_once(folder).items():
            times = ", ".join(f"{library} {1e3 * of:.2f} ms" for library, of in seconds.items())
            lines.append(f"  {kind}: {faster_of(seconds)} ({times or f'not timed: {_why_not_kept(folder)}'})")
    said = "\n".join(lines)
    print(said)
    return said


def _run(kind: ProductClass, library: str) -> Callable[[], Tensor]:
    """Returns the product of a probe; its numbers move no generator."""
    rows, one, other = PROBES[kind]
    given, matrix = _numbers(rows, one), _numbers(one, other)
    if kind.form == "linear":
        weight = _numbers(other, one)
        return lambda: product_by(library, given, weight)
    if kind.form == "times":
        return lambda: product_by(library, given, matrix.mT)
    right = _numbers(rows, other)
    return lambda: product_by(library, given.mT, right.mT)


def _numbers(rows: int, columns: int) -> Tensor:
    return torch.linspace(-1, 1, rows * columns, dtype=torch.float32, device="cpu").view(rows, columns)


def _read(file: Path, conditions: Mapping[str, object]) -> dict[ProductClass, Seconds] | None:
    """Returns the times in a file that was written under the same conditions."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["conditions"] != conditions:
            return None
        return {kind: {name: float(content["seconds"][str(kind)][name]) for name in LIBRARIES} for kind in PROBES}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _why_not_kept(folder: Path | None) -> str:
    """Returns why times cannot be kept, in a few words."""
    try:
        return f"{folder or cache_folder()} cannot be written"
    except OSError as error:
        return str(error)


def _precision() -> str:
    """Returns how exact products of float32 must be; torch refuses to tell once its newer setting has been used."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return str(torch.backends.mkldnn.matmul.fp32_precision)  # type: ignore[attr-defined]


def _processor() -> str:
    """Returns the name of the processor, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
