"""Steps: which sections each stream runs before a coupler's residuals are added to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..site import Site

Edge = tuple[str, str]
"""A directed edge `(guide, stream)`: `("audio", "visual")` lets audio guide visual."""

Sites = Mapping[str, Sequence[Site]]
"""The sites of every stream: stem first, then one per section."""


@dataclass(frozen=True)
class Step:
    """One turn of the lockstep.

    - `sections`: stream → names of the sections that it runs, zero or more.
    - `coupler`: name of the coupler whose residuals, read from the streams *before* these sections, are added after
      them; `None` where nothing is added.
    - `edges`: the edges that coupler has; `None`: all ordered pairs of the streams named in `sections`.
    """

    sections: Mapping[str, tuple[str, ...]]
    coupler: str | None = None
    edges: tuple[Edge, ...] | None = None

    @property
    def directed(self) -> tuple[Edge, ...]:
        """The edges of this step, spelled out; none where no coupler sits."""
        if self.coupler is None:
            return ()
        pairs = tuple((guide, stream) for guide in self.sections for stream in self.sections if guide != stream)
        return pairs if self.edges is None else self.edges
