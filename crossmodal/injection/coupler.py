"""Couplers: adapters on directed edges, guide → stream."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ..adapters import Adapted, AdapterFactory
from ..named_draws import drawn, named_draws
from ..shapes import shaped
from ..site import Site
from .encoder import unknown
from .step import Edge, Sites, Step, check_edge, check_edges


class CouplerOutput(NamedTuple):
    """Result of a coupler: the residual of every stream that an edge enters, and the maps by edge."""

    residuals: dict[str, Tensor]
    maps: dict[Edge, dict[str, Tensor]]


def edge_key(edge: Edge) -> str:
    """Returns the key under which the adapter of an edge is registered: `("audio", "visual")` → `audio_visual`."""
    return "_".join(edge)


class Coupler(nn.Module):
    """Adapters on directed edges, `Coupler({("audio", "visual"): adapter, ("visual", "audio"): adapter})`.

    All streams are read before any residual is given, so the order of edges does not matter; residuals of several
    edges into one stream are summed. A stream that is missing this time guides nothing.
    """

    def __init__(self, adapters: Mapping[Edge, nn.Module]):
        """Registers the adapters.

        Args:
            adapters: Edge → any module `(stream, guide) -> Adapted`, registered as `audio_visual` for the edge from
                audio to visual.

        Raises:
            ValueError: If an edge is not a tuple of two names, or two edges would share a key.
        """
        super().__init__()
        self.edges = tuple(adapters)
        taken: dict[str, Edge] = {}
        for edge, adapter in adapters.items():
            check_edge(edge, "Coupler")
            key = edge_key(edge)
            # joining is ambiguous: ("a_b", "c") and ("a", "b_c") are one key
            if key in taken:
                raise ValueError(f"Coupler: the edges {taken[key]} and {edge} share the key {key!r}: rename a stream.")
            # such as ("register", "buffer")
            if "." in key or hasattr(self, key):
                raise ValueError(f"Coupler: edge {edge} gives the key {key!r}, which a module cannot have: rename.")
            taken[key] = edge
            self.add_module(key, adapter)

    @shaped
    def forward(self, streams: Mapping[str, Tensor]) -> CouplerOutput:
        """Computes residuals and maps.

        Args:
            streams: `(frame, token, channel)` each, left as they were. Edges of a missing one give nothing.

        Raises:
            ValueError: If frames differ, or a residual has not the shape of its stream.
        """
        residuals: dict[str, Tensor] = {}
        maps: dict[Edge, dict[str, Tensor]] = {}
        for guide, name in self.edges:
            if guide not in streams or name not in streams:
                continue
            stream = streams[name]
            check_frames(stream, streams[guide], name, guide)
            adapter = self.get_submodule(edge_key((guide, name)))
            residual, maps[guide, name] = as_adapted(adapter(stream, streams[guide]), adapter, guide, name)
            check_residual(residual, stream, f"adapter {guide} → {name}")
            # out of place: the adapter's own backward may need what it returned
            residuals[name] = residuals[name] + residual if name in residuals else residual
        return CouplerOutput(residuals, maps)


def as_adapted(adapted: object, adapter: nn.Module, guide: str, name: str) -> Adapted:
    """Returns what an adapter returned; raises `TypeError` where that is not a residual and maps."""
    if not isinstance(adapted, tuple) or len(adapted) != 2 or not isinstance(adapted[0], Tensor):
        inside = f" of {[type(item).__name__ for item in adapted]}" if isinstance(adapted, tuple) else ""
        raise TypeError(
            f"adapter {guide} → {name}: {type(adapter).__name__} returned a {type(adapted).__name__}{inside}; an "
            "adapter returns Adapted(residual, maps): where there are no maps, Adapted(residual, {})."
        )
    return Adapted(*adapted)


def check_frames(stream: Tensor, guide: Tensor, name: str, guide_name: str) -> None:
    """Raises `ValueError` where a guide has another number of frames than the stream."""
    if stream.shape[0] != guide.shape[0]:
        raise ValueError(
            f"Coupler: {name} has {stream.shape[0]} frames, its guide {guide_name} has {guide.shape[0]}: every frame "
            f"needs one guide frame (frame = clip × segment)."
        )


def check_residual(residual: Tensor, stream: Tensor, source: str) -> None:
    """Raises `ValueError` where a residual is not exactly of the stream's shape: a bare `+` would broadcast it."""
    if residual.shape != stream.shape:
        raise ValueError(
            f"{source}: its residual is {tuple(residual.shape)}, the stream {tuple(stream.shape)}: they must be equal."
        )


def couplers_for(
    steps: Sequence[Step], sites: Sites, factory: AdapterFactory, *, edges: Collection[Edge] | None = None
) -> dict[str, Coupler]:
    """Builds the couplers that `steps` name, by calling `factory(stream site, guide site)` for every edge.

    Args:
        steps: As a pairing writes them.
        sites: The sites of every stream.
        factory: Builds the adapter of an edge.
        edges: Keeps these alone; `None` keeps all. A coupler left without edges gives no residual.

    Raises:
        ValueError: If an edge of `edges` is none that a step has.
        KeyError: If a step names a stream or a section that does not exist.
    """
    if edges is not None:
        check_edges(edges, steps, sites, "couplers_for")
    here: dict[str, Site] = {name: of[0] for name, of in sites.items()}
    ends: dict[str, tuple[Step, dict[str, Site]]] = {}
    for step in steps:
        for name in dict.fromkeys((*step.sections, *(name for edge in step.directed for name in edge))):
            if name not in sites:
                raise KeyError(unknown("stream", name, sites))
        if step.coupler is not None:
            ends[step.coupler] = step, here
        # another mapping: the step above keeps the sites at which its adapters read
        here = {**here, **{name: site_named(run[-1], sites[name]) for name, run in step.sections.items() if run}}
    with named_draws("couplers"):
        return {name: drawn(name, _coupler, step, at, factory, edges) for name, (step, at) in ends.items()}


def _coupler(step: Step, sites: Mapping[str, Site], factory: AdapterFactory, edges: Collection[Edge] | None) -> Coupler:
    """Builds the coupler of a step at the sites where its streams stand; an adapter is drawn alike beside any other."""
    kept = [edge for edge in step.directed if edges is None or edge in edges]
    return Coupler({(guide, to): drawn(edge_key((guide, to)), factory, sites[to], sites[guide]) for guide, to in kept})


def site_named(name: str, sites: Sequence[Site]) -> Site:
    """Returns the site of that name; raises `KeyError` with near misses where there is none."""
    for site in sites:
        if site.name == name:
            return site
    raise KeyError(unknown("site", name, (site.name for site in sites)))
