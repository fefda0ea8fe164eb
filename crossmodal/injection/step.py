"""Steps: which sections each stream runs before a coupler's residuals are added to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..site import Site

Edge = tuple[str, str]
"""A directed edge `(guide, stream)`: `("audio", "visual")` lets audio guide visual."""

Sites = Mapping[str, Sequence[Site]]
"""The sites of every stream: stem first, then one per section."""


def check_edge(edge: object, owner: str) -> None:
    """Raises `ValueError`, beginning with `owner`, unless `edge` is a tuple of two names."""
    if not isinstance(edge, tuple) or len(edge) != 2 or not all(isinstance(name, str) and name for name in edge):
        raise ValueError(
            f"{owner}: edge {edge!r} must be a tuple of two names, (guide, stream), such as ('audio', 'visual')."
        )


def check_edges(edges: object, steps: Iterable["Step"], streams: Iterable[str], owner: str) -> None:
    """Raises `ValueError` unless every edge is one that a step has: any other would leave couplers without adapters.

    Args:
        edges: Edges to keep; none at all are allowed.
        steps: The steps whose edges they are.
        streams: The names that an edge may hold.
        owner: The name with which the message begins.
    """
    if isinstance(edges, (str, Mapping)) or not isinstance(edges, Iterable):
        raise ValueError(f"{owner}: edges={edges!r} must be a tuple of edges, such as (('audio', 'visual'),).")
    there, known = {edge for step in steps for edge in step.directed}, list(streams)
    for edge in edges:
        if isinstance(edge, str):
            raise ValueError(f"{owner}: edges={edges!r} must be a tuple of edges: write (('audio', 'visual'),).")
        check_edge(edge, owner)
        unknown = [name for name in edge if name not in known]
        if unknown:
            raise ValueError(f"{owner}: edge {edge} names {unknown[0]!r}, the streams are {known}.")
        if edge not in there:
            raise ValueError(f"{owner}: no step has the edge {edge}; the steps have {sorted(there)}.")


@dataclass(frozen=True)
class Step:
    """One turn of the lockstep.

    Attributes:
        sections: Stream → names of the sections that it runs, zero or more.
        coupler: Name of the coupler whose residuals, read from the streams *before* these sections, are added after
            them; `None` where nothing is added.
        edges: The edges that coupler has; `None`: all ordered pairs of the streams named in `sections`.
    """

    sections: Mapping[str, tuple[str, ...]]
    coupler: str | None = None
    edges: tuple[Edge, ...] | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` where a name is empty or dotted, or a string stands where several names should."""
        for stream, run in dict[str, object](self.sections).items():
            if isinstance(run, str):  # its letters would be taken for names
                raise ValueError(f"Step: sections[{stream!r}]={run!r} must be a tuple of names: write ({run!r},).")
        if self.coupler is not None and (not self.coupler or "." in self.coupler):
            raise ValueError(f"Step: coupler={self.coupler!r} must be a name without dots, or None.")
        if isinstance(self.edges, str):
            raise ValueError(f"Step: edges={self.edges!r} must be a tuple of edges, such as (('audio', 'visual'),).")
        for edge in self.edges or ():
            check_edge(edge, "Step")

    @property
    def directed(self) -> tuple[Edge, ...]:
        """The edges of this step, spelled out; none where no coupler sits."""
        if self.coupler is None:
            return ()
        pairs = tuple((guide, stream) for guide in self.sections for stream in self.sections if guide != stream)
        return pairs if self.edges is None else self.edges
