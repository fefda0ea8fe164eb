"""Where streams stand while couplers run beside encoders that have run already."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...site import Site
from ..coupler import check_residual
from ..encoder import module_key
from ..step import Edge, Sites, Step


class SideStreams:
    """Every stream as what its encoder said alone, plus a side stream, from site to site.

    - `features`: `"visual.stem"` → what the encoder said there.
    - `at`: the site where each stream stands, the stems at first.
    - `taps`: sites whose streams are kept in `tapped`.
    - `dtype`: what features are converted to; `None` leaves them.
    """

    def __init__(
        self, features: Mapping[str, Tensor], at: dict[str, str], taps: Collection[str], dtype: torch.dtype | None
    ):
        self.features, self.at, self.taps, self.dtype = features, at, taps, dtype
        self.sides: dict[str, Tensor] = {}
        self.tapped: dict[str, Tensor] = {}
        self._tap(at)

    def streams(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """The streams of `names` where they stand, residuals included; of all by default, without missing ones."""
        return {name: self._stream(name) for name in (self.at if names is None else names) if name in self.at}

    def through(self, name: str, section: str, carry: nn.Module | None) -> None:
        """A stream runs a section: its side stream passes as it is, or through `carry`."""
        if name in self.at:
            self.at[name] = section
            if name in self.sides and carry is not None:
                self.sides[name] = carry(self.sides[name])
            self._tap([name])

    def add(self, residuals: Mapping[str, Tensor], source: str) -> None:
        """Residuals join the side streams."""
        for name, residual in residuals.items():
            before = self.sides.get(name)
            if before is not None:
                check_residual(residual, before, source)
            self.sides[name] = residual if before is None else before + residual
        self._tap(residuals)

    def _stream(self, name: str) -> Tensor:
        feature = self.features[f"{name}.{self.at[name]}"]
        feature = feature if self.dtype is None else feature.to(self.dtype)
        return feature + self.sides[name] if name in self.sides else feature

    def _tap(self, names: Iterable[str]) -> None:
        here = {f"{name}.{self.at[name]}": name for name in names}
        self.tapped.update({site: self._stream(name) for site, name in here.items() if site in self.taps})


def required_sites(edges: Sequence[Sequence[Edge]], ends: Sequence[Mapping[str, str]], sites: Sites) -> tuple[str, ...]:
    """The sites that couplers read, step by step, and the last one of every stream: `("visual.stem", …)`."""
    at, wanted = {name: of[0].name for name, of in sites.items()}, dict[str, None]()
    for here, after in zip(edges, ends, strict=True):
        wanted |= dict.fromkeys(f"{name}.{at[name]}" for edge in here for name in edge)
        at = dict(after)
    return (*(wanted | dict.fromkeys(f"{name}.{of[-1].name}" for name, of in sites.items())),)


def projected_sections(
    steps: Sequence[Step], edges: Sequence[Sequence[Edge]], sites: Sites
) -> dict[str, tuple[Site, Site]]:
    """The sections that change tokens or width of a stream that has residuals by then: key → site before, after."""
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
    """The name under which the carry of a stream over a section is registered."""
    return f"{stream}_{module_key(section)}"
