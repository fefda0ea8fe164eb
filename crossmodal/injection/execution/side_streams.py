"""State of side tuning: where streams stand while couplers run beside encoders that have run already."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...site import Site
from ..coupler import check_residual
from ..encoder import module_key
from ..step import Edge, Sites, Step


class SideStreams:
    """State of a side network: the streams of the encoders alone, plus a side stream each, from site to site.

    Attributes:
        tapped: The streams at the sites of `taps`.
    """

    def __init__(
        self, features: Mapping[str, Tensor], at: dict[str, str], taps: Collection[str], dtype: torch.dtype | None
    ):
        """Starts at the stems, with side streams of nothing.

        Args:
            features: `"visual.stem"` → the stream of the encoder there.
            at: The site where each stream stands.
            taps: Sites whose streams are kept.
            dtype: Features are converted to it; `None` leaves them.
        """
        self.features, self.at, self.taps, self.dtype = features, at, taps, dtype
        self.sides: dict[str, Tensor] = {}
        self.tapped: dict[str, Tensor] = {}
        self._tap(at)

    def streams(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Returns the streams of `names`, or all, where they stand, residuals included; missing ones are left out."""
        return {name: self._stream(name) for name in (self.at if names is None else names) if name in self.at}

    def through(self, name: str, section: str, projection: nn.Module | None) -> None:
        """Moves a stream over a section; its side stream passes as it is, or through `projection`."""
        if name in self.at:
            self.at[name] = section
            if name in self.sides and projection is not None:
                self.sides[name] = projection(self.sides[name])
            self._tap([name])

    def add(self, residuals: Mapping[str, Tensor], source: str) -> None:
        """Adds residuals to the side streams."""
        for name, residual in residuals.items():
            before = self.sides.get(name)
            if before is not None:
                check_residual(residual, before, source)
            self.sides[name] = residual if before is None else before + residual
        self._tap(residuals)

    def _stream(self, name: str) -> Tensor:
        feature = self.features[f"{name}.{self.at[name]}"]
        # a cache on the disk may hold features in half precision
        feature = feature if self.dtype is None else feature.to(self.dtype)
        return feature + self.sides[name] if name in self.sides else feature

    def _tap(self, names: Iterable[str]) -> None:
        here = {f"{name}.{self.at[name]}": name for name in names}
        self.tapped.update({site: self._stream(name) for site, name in here.items() if site in self.taps})


def required_sites(edges: Sequence[Sequence[Edge]], ends: Sequence[Mapping[str, str]], sites: Sites) -> tuple[str, ...]:
    """Returns the sites that couplers read, step by step, and the last of every stream: `("visual.stem", …)`."""
    at, wanted = {name: of[0].name for name, of in sites.items()}, dict[str, None]()
    for here, after in zip(edges, ends, strict=True):
        wanted |= dict.fromkeys(f"{name}.{at[name]}" for edge in here for name in edge)
        at = dict(after)
    return (*(wanted | dict.fromkeys(f"{name}.{of[-1].name}" for name, of in sites.items())),)


def projected_sections(
    steps: Sequence[Step], edges: Sequence[Sequence[Edge]], sites: Sites
) -> dict[str, tuple[Site, Site]]:
    """Finds the sections that change tokens or width of a stream that has residuals by then.

    Returns:
        Key of the projection → the sites before and after the section.

    Raises:
        ValueError: If two projections would share a key.
    """
    follows = {(name, pair[1].name): pair for name, of in sites.items() for pair in pairwise(of)}
    found, guided = dict[str, tuple[Site, Site]](), set[str]()
    for step, here in zip(steps, edges, strict=True):
        for name, section in ((name, section) for name, run in step.sections.items() for section in run):
            before, after = follows[name, section]
            if name in guided and (before.width, before.tokens) != (after.width, after.tokens):
                key = projection_key(name, section)
                if key in found:
                    raise ValueError(
                        f"SideLockstep: the projection of {name!r} over {section!r} shares the key {key!r} with "
                        "another: rename a stream."
                    )
                found[key] = (before, after)
        guided |= {stream for _, stream in here}
    return found


def projection_key(stream: str, section: str) -> str:
    """Returns the key under which the projection of a stream over a section is registered."""
    return f"{stream}_{module_key(section)}"
