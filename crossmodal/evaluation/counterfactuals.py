"""What the guides of an events model do on some clips: maps, what every token loses without a guide, and the score."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from crossmodal.drawing import read_sites
from crossmodal.heads import Events
from crossmodal.injection import Edge, Lockstep, counterfactual, record_maps, without_guide
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.shapes import shaped

MISSING, SILENCED = "edge missing", "guide silenced"
"""The edge adds nothing, while the maps that heads pool by stay; or its adapters read zeros, as under the control
`no_guide`, and what they and their maps do by themselves stays."""


def silence(stream: Tensor, guide: Tensor) -> Tensor:
    """Zeros in place of the guide."""
    return torch.zeros_like(guide)


TAKEN = {MISSING: None, SILENCED: silence}
"""How a guide is taken away → what is read instead, as `without_guide` takes it."""


class Looked(NamedTuple):
    """What was found on clips; frames are `(clip segment)`.

    - `values`: stream → what was looked at (`"spatial map"`, `MISSING`, `SILENCED`) → coupler → `(frame, token, 1)`.
    - `scores`: `"guided"`, `"audio → visual missing"`, `"all silenced"` … → `(frame, label)`, the probability of every
      label, background behind the last class.
    """

    values: dict[str, dict[str, dict[str, Tensor]]]
    scores: dict[str, Tensor]


@torch.no_grad()
def looked(model: AudioVisualEvents, frames: Tensor, wave: Tensor) -> Looked:
    """Runs clips `(clip, segment, …)` with all guides, without those of each edge, and without any.

    Raises `ValueError` where no edge guides anything.
    """
    edges = edges_of(model.coupled)
    if not edges:
        raise ValueError("this run has no edge: no stream guides another, and there is nothing to take away.")
    with record_maps(model) as maps:
        scores = {"guided": label_scores(model(frames, wave))}
    values: dict[str, dict[str, dict[str, Tensor]]] = {}
    for edge in edges:
        stream = edge[1]
        found = values.setdefault(stream, {})
        for coupler, name, map in token_maps(model, maps, edge):
            found.setdefault(f"{name} map", {})[coupler] = map
        for kind, source in TAKEN.items():
            run = counterfactual(model, frames, wave, without=edge, instead=source)
            found[kind] = {coupler: change[stream] for coupler, change in run.change.items()}
            scores[f"{' → '.join(edge)} {kind.split()[-1]}"] = label_scores(run.unguided)
    for kind, source in TAKEN.items():
        with without_guide(model, instead=source):
            scores[f"all {kind.split()[-1]}"] = label_scores(model(frames, wave))
    return Looked(values, {name: rearrange(score, "c s label -> (c s) label") for name, score in scores.items()})


@shaped
def label_scores(events: Events) -> Float[Tensor, "clip segment label"]:
    """The probability of every class and, last, of background, second by second: as `decode_events` weighs them."""
    relevance = events.relevance.sigmoid()[:, :, None]
    return torch.cat([relevance * events.event.softmax(1)[:, None], 1 - relevance], dim=2)


def edges_of(lockstep: Lockstep) -> list[Edge]:
    """Every edge that some coupler has, each once, those that guide the frames first."""
    found = dict.fromkeys(edge for coupler in lockstep.couplers.values() for edge in coupler.edges)
    return sorted(found, key=lambda edge: edge[1] != "visual")


def token_maps(model: AudioVisualEvents, maps: dict[str, Tensor], edge: Edge) -> list[tuple[str, str, Tensor]]:
    """Of recorded maps: coupler, name and values of those of an edge that have a value a token, in order of depth."""
    sites, found = read_sites(model.coupled), []
    for key, values in maps.items():
        coupler, edge_name, name = key.split(".")[-3:]
        tokens = sites[coupler][edge[1]].tokens
        if edge_name == "_".join(edge) and tokens > 1 and values.shape[1:] == (tokens, 1):
            found.append((coupler, name, values))
    return found
