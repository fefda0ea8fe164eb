"""Couplers: adapters on directed edges, guide → stream."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from ..adapters import AdapterFactory
from ..shapes import shaped
from ..site import Site
from .step import Edge, Sites, Step


class Coupling(NamedTuple):
    """What a coupler gives: the residual of every stream that an edge enters, and the maps by edge."""

    residuals: dict[str, Tensor]
    maps: dict[Edge, dict[str, Tensor]]


class Coupler(nn.Module):
    """Adapters on directed edges, `Coupler({("audio", "visual"): adapter, ("visual", "audio"): adapter})`.

    All streams are read before any residual is given, so the order of edges does not matter; residuals of several
    edges into one stream are summed. A stream that is missing this time guides nothing. An adapter is any module
    `(stream, guide) -> Adapted`, registered as `audio_visual` for the edge from audio to visual. Raises `ValueError`
    where frames or shapes disagree.
    """

    def __init__(self, adapters: Mapping[Edge, nn.Module]):
        super().__init__()
        self.edges = tuple(adapters)
        for edge, adapter in adapters.items():
            self.add_module("_".join(edge), adapter)

    @shaped
    def forward(self, streams: Mapping[str, Tensor]) -> Coupling:
        """Reads `streams`, `(frame, token, channel)` each; writes none. Edges of a missing one give nothing."""
        residuals: dict[str, Tensor] = {}
        maps: dict[Edge, dict[str, Tensor]] = {}
        for guide, name in self.edges:
            if guide not in streams or name not in streams:
                continue
            stream = streams[name]
            check_frames(stream, streams[guide], name, guide)
            residual, maps[guide, name] = self.get_submodule(f"{guide}_{name}")(stream, streams[guide])
            check_residual(residual, stream, f"adapter {guide} → {name}")
            residuals[name] = residuals[name] + residual if name in residuals else residual
        return Coupling(residuals, maps)


def check_frames(stream: Tensor, guide: Tensor, name: str, guide_name: str) -> None:
    """`ValueError` where a guide has another number of frames than the stream."""
    if stream.shape[0] != guide.shape[0]:
        raise ValueError(
            f"Coupler: {name} has {stream.shape[0]} frames, its guide {guide_name} has {guide.shape[0]}: every frame "
            f"needs one guide frame (frame = clip × segment)."
        )


def check_residual(residual: Tensor, stream: Tensor, source: str) -> None:
    """`ValueError` where a residual is not exactly of the stream's shape: a bare `+` would broadcast in silence."""
    if residual.shape != stream.shape:
        raise ValueError(
            f"{source}: its residual is {tuple(residual.shape)}, the stream {tuple(stream.shape)}: they must be equal."
        )


def couplers_for(
    steps: tuple[Step, ...], sites: Sites, factory: AdapterFactory, *, edges: tuple[Edge, ...] | None = None
) -> dict[str, Coupler]:
    """Builds the couplers that `steps` name, by calling `factory(stream site, guide site)` for every edge.

    - `sites`: the sites of every stream.
    - `edges`: keep these alone; `None` keeps all. A coupler left without edges gives no residual.
    """
    here: dict[str, Site] = {name: of[0] for name, of in sites.items()}
    place = {name: {site.name: site for site in of} for name, of in sites.items()}
    couplers = {}
    for step in steps:
        if step.coupler is not None:
            kept = [edge for edge in step.directed if edges is None or edge in edges]
            couplers[step.coupler] = Coupler({(guide, to): factory(here[to], here[guide]) for guide, to in kept})
        here |= {name: place[name][run[-1]] for name, run in step.sections.items() if run}
    return couplers
