"""Effect of the guides of a coupled system on some items: maps, change of every token, and probabilities without."""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from crossmodal.drawing import read_sites
from crossmodal.injection import Coupler, Edge, Lockstep, counterfactual, record_maps, without_guide
from crossmodal.injection.observing.find_adapters import find_adapters
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled, Task

MISSING, SILENCED = "edge missing", "guide silenced"
"""The edge adds nothing, while the maps that heads pool by stay; or its adapters read zeros, as under the control
`no_guide`, and what they and their maps do by themselves stays."""


def silence(stream: Tensor, guide: Tensor) -> Tensor:
    """Returns zeros in place of the guide."""
    return torch.zeros_like(guide)


INTERVENTIONS = {MISSING: None, SILENCED: silence}
"""How a guide is taken away → what is read instead, as `without_guide` takes it."""


class GuideEffects(NamedTuple):
    """Effects of guides on a batch; frames are `(clip segment)`.

    Attributes:
        values: Stream → what was measured (`"spatial map"`, `MISSING`, `SILENCED`) → coupler → `(frame, token, 1)`.
        probabilities: `"guided"`, `"audio → visual missing"`, `"all silenced"` … → `(clip, segment, label)`, as the
            system's `probabilities` returns them.
    """

    values: dict[str, dict[str, dict[str, Tensor]]]
    probabilities: dict[str, Tensor]


@torch.no_grad()
def guide_effects(system: CoupledSystem, batch: Any) -> GuideEffects:
    """Runs a batch with all guides, without those of each edge, and without any.

    Args:
        system: System in evaluation mode, with a method `probabilities(outputs)`.
        batch: Batch of its task.

    Raises:
        ValueError: If no edge guides anything.
    """
    edges = edges_of(system.coupled)
    if not edges:
        raise ValueError("this run has no edge: no stream guides another, and there is nothing to take away.")
    weigh: Any = system.probabilities
    with record_maps(system) as maps:
        probabilities = {"guided": weigh(system(batch))}
    values: dict[str, dict[str, dict[str, Tensor]]] = {}
    for edge in edges:
        stream = edge[1]
        measured = values.setdefault(stream, {})
        for coupler, name, map in token_maps(system, maps, edge):
            measured.setdefault(f"{name} map", {})[coupler] = map
        for kind, source in INTERVENTIONS.items():
            both = counterfactual(system, batch, without=edge, instead=source)
            measured[kind] = {coupler: change[stream] for coupler, change in both.change.items()}
            probabilities[f"{' → '.join(edge)} {kind.split()[-1]}"] = weigh(both.unguided)
    for kind, source in INTERVENTIONS.items():
        with without_guide(system, instead=source):
            probabilities[f"all {kind.split()[-1]}"] = weigh(system(batch))
    return GuideEffects(values, probabilities)


def no_guides_reason(system: nn.Module, task: Task, name: str) -> str:
    """Returns a sentence on why the guides of a system cannot be compared; empty where they can.

    Args:
        system: Any system.
        task: Its task.
        name: Name of the system.
    """
    if not isinstance(system, CoupledSystem) or not find_adapters(system):
        return f"the system {name!r} has no adapters: no stream guides another, and there is nothing to take away."
    if not hasattr(system, "probabilities"):
        return f"the system {name!r} has no method probabilities(outputs), by which scores are compared: add one."
    if not isinstance(task, Labelled):
        return f"the task {task.name!r} has no labels of segments or clips, whose probability would be compared."
    return ""


def edges_of(lockstep: Lockstep) -> list[Edge]:
    """Returns every edge that some coupler has, each once, those that guide the frames first."""
    couplers = cast("list[Coupler]", list(lockstep.couplers.values()))
    edges = dict.fromkeys(edge for coupler in couplers for edge in coupler.edges)
    return sorted(edges, key=lambda edge: edge[1] != "visual")


def token_maps(system: CoupledSystem, maps: dict[str, Tensor], edge: Edge) -> list[tuple[str, str, Tensor]]:
    """Returns coupler, name and values of an edge's recorded maps that have a value per token, in order of depth."""
    sites, chosen = read_sites(system.coupled), []
    for key, values in maps.items():
        coupler, edge_name, name = key.split(".")[-3:]  # as record_maps names them: …couplers.COUPLER.EDGE.MAP
        tokens = sites[coupler][edge[1]].tokens
        if edge_name == "_".join(edge) and tokens > 1 and values.shape[1:] == (tokens, 1):
            chosen.append((coupler, name, values))
    return chosen
