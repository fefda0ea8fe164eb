"""Two unmodified models in lockstep, for prototypes."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...adapters import AdapterFactory
from ...site import grid_axes
from ..coupler import Coupler
from ..encoder import module_key
from ..step import Edge
from ..tracing.token_grid import infer_grid
from .globs import match, near
from .hook_plan import why_not
from .probe import ProbedModule
from .tensor_layout import TensorLayout
from .turns import Turn, greenlets


class Met(NamedTuple):
    """What two coupled models give.

    - `outputs`: stream → whatever its model returns.
    - `maps`: coupler → edge → name of the map → map.
    """

    outputs: dict[str, Any]
    maps: dict[str, dict[Edge, dict[str, Tensor]]]


class Meeting(nn.Module):
    """Runs two models by turns and couples them where they meet; `coupled` builds it.

    - `models`: stream → model, kept as it is.
    - `points`: pairs of module names, in the order in which both run them.
    - `places`: stream → name of the module → the ports of what flows in and out.
    - `couplers`: one a point.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        points: Sequence[tuple[str, str]],
        places: Mapping[str, Mapping[str, tuple[TensorLayout, TensorLayout]]],
        couplers: Sequence[Coupler],
    ):
        super().__init__()
        greenlets()
        self.models = nn.ModuleDict(models)
        self.points, self.places, self.running = tuple(points), places, False
        self.keys = tuple(module_key(one) for one, _ in points)
        self.couplers = nn.ModuleDict(dict(zip(self.keys, couplers, strict=True)))

    def forward(self, inputs: Mapping[str, Tensor]) -> Met:
        """`inputs`: what each model takes, by stream."""
        self._check(inputs)
        maps = {}
        with ExitStack() as stack:
            self.running = True
            stack.callback(setattr, self, "running", False)
            turns = {name: stack.enter_context(self._turn(name, inputs[name])) for name in self.models}
            for key, point in zip(self.keys, self.points, strict=True):
                places = zip(turns.items(), point, strict=True)
                coupling = self.couplers[key]({name: turn.stream_at(place) for (name, turn), place in places})
                for name, residual in coupling.residuals.items():
                    turns[name].residual = residual
                maps[key] = coupling.maps
            return Met({name: turn.returned() for name, turn in turns.items()}, maps)

    def _turn(self, name: str, given: Tensor) -> Turn:
        return Turn(name, self.models[name], self.places[name], partial(self.models[name], given))

    def _check(self, inputs: Mapping[str, Tensor]) -> None:
        if torch.compiler.is_compiling():
            raise RuntimeError(
                "coupled: greenlets cannot be compiled; cut the models (sections_of) and couple them by a Lockstep."
            )
        if getattr(self, "_is_replica", False) or self.running:
            raise RuntimeError(
                "coupled: one forward at a time: it was called inside itself, by another thread, or as a replica of "
                "DataParallel; use a process a device, or cut the models (sections_of) and use a Lockstep."
            )
        if inputs.keys() != self.models.keys():
            raise ValueError(f"coupled: inputs are given for {sorted(inputs)}, the streams are {sorted(self.models)}.")


def coupled(
    model_a: nn.Module,
    model_b: nn.Module,
    points: Sequence[tuple[str, str]],
    *,
    sites: tuple[Mapping[str, ProbedModule], Mapping[str, ProbedModule]],
    adapter: AdapterFactory,
    names: tuple[str, str] = ("visual", "audio"),
    edges: Sequence[Edge] | None = None,
) -> Meeting:
    """Couples two unmodified models at `points`, for prototypes; `sections_of` and `Lockstep` are for the rest.

    Each model runs in a greenlet. Before both modules of a point run, their adapters read both streams; what they
    answer is added to what the modules return, as in a step of a `Lockstep` on the same weights.

    - `points`: pairs of module names, or of globs that match equally many modules, in the order in which they run.
    - `sites`: what `sites(model, *example)` found in either model.
    - `adapter`: factory, called with the sites of stream and guide, for every edge of every point.
    - `names`: of the streams. `edges`: keep these `(guide, stream)`; `None` keeps both.

    Not for `torch.compile` (refused with `fullgraph=True`; without, it runs uncompiled), `DataParallel`, threads,
    models that checkpoint their own blocks or switch gradients off around a point: refused in words. Autocast and
    context variables are carried; other settings of the thread that a model makes around a point (default device,
    attention kernels) are not.

    Raises `ValueError` for points that do not pair or where no stream flows, `ImportError` without greenlet.
    """
    if model_a is model_b:
        raise ValueError("coupled: both models are one; two turns of one model would meet themselves: pass a copy.")
    models = dict(zip(names, (model_a, model_b), strict=True))
    for name, model in models.items():
        _check_plain(name, model)
    pairs = _paired(points, sites, names)
    places = {name: _places(name, [pair[at] for pair in pairs], sites[at]) for at, name in enumerate(names)}
    kept = [edge for edge in (names, names[::-1]) if edges is None or edge in edges]
    couplers = []
    for pair in pairs:
        here = {name: places[name][place][0] for name, place in zip(names, pair, strict=True)}
        couplers.append(Coupler({(guide, to): adapter(here[to], here[guide]) for guide, to in kept}))
    return Meeting(models, pairs, places, couplers)


def _paired(
    points: Sequence[tuple[str, str]],
    sites: tuple[Mapping[str, ProbedModule], Mapping[str, ProbedModule]],
    names: tuple[str, str],
) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for patterns in points:
        found = [list(match(pattern, known)) for pattern, known in zip(patterns, sites, strict=True)]
        for name, pattern, matches, known in zip(names, patterns, found, sites, strict=True):
            if not matches:
                raise ValueError(
                    f"coupled: {pattern!r} matches no module of {name} that ran in the probe; {near(pattern, known)}."
                )
        if len(found[0]) != len(found[1]):
            raise ValueError(
                f"coupled: {patterns[0]!r} matches {len(found[0])} modules of {names[0]}, {patterns[1]!r} "
                f"{len(found[1])} of {names[1]}: each needs one to meet; write the pairs out."
            )
        pairs += zip(*found, strict=True)
    for at, name in enumerate(names):
        named = [pair[at] for pair in pairs]
        if len({module_key(place) for place in named}) != len(named) or not named:
            raise ValueError(f"coupled: the points of {name} are {named}: at least one, and none twice.")
    return pairs


def _places(
    name: str, places: Sequence[str], sites: Mapping[str, ProbedModule]
) -> dict[str, tuple[TensorLayout, TensorLayout]]:
    """The ports at both sides of every place of a model, tokens on their grid where it can be told."""
    ports = [_ports(name, place, sites) for place in places]
    reads, writes = (infer_grid(side, sites, ports[0][0].frames, grid_axes) for side in zip(*ports, strict=True))
    return dict(zip(places, zip(reads, writes, strict=True), strict=True))


def _ports(name: str, place: str, sites: Mapping[str, ProbedModule]) -> tuple[TensorLayout, TensorLayout]:
    point = sites[place]
    if point.reads is None or point.writes is None:
        side = int(point.reads is not None)
        raise ValueError(
            f"coupled: no stream flows {('into', 'out of')[side]} {place!r} of {name}: {why_not(point, side)}."
        )
    if (point.reads.tokens, point.reads.width) != (point.writes.tokens, point.writes.width):
        raise ValueError(
            f"coupled: {place!r} of {name} goes from {point.reads.tokens} tokens of width {point.reads.width} to "
            f"{point.writes.tokens} of {point.writes.width}: a residual must fit both sides; meet at another module."
        )
    return point.reads, point.writes


def _check_plain(name: str, model: nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise ValueError(
                f"coupled: {name} is compiled, and a compiled model cannot be stopped on its way; pass it as it was "
                "before torch.compile."
            )
