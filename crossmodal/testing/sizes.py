"""Sizes that trials are drawn from; `smallest` finds the first that a factory takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Literal, TypeVar

from ..site import Site, folded_axes, grid_axes, vector_axes
from .suite import REFUSALS, built_at, describe, needed
from .widths import ANY, Widths

Form = Literal["image", "folded", "sequence", "vector"]
S = TypeVar("S")


@dataclass(frozen=True)
class SiteGrid:
    """Holds the tokens and the width of a site: an image, a folded spectrogram, a sequence or a vector."""

    form: Form
    rows: int
    columns: int
    width: int
    prefix: int = 0

    def site(self, name: str) -> Site:
        """Builds a site of these sizes."""
        axes = {
            "image": lambda: grid_axes(self.rows, self.columns),
            "folded": lambda: folded_axes(2 * self.rows, self.columns, chunks=2),
            "sequence": lambda: {"time": tuple(range(self.rows * self.columns))},
            "vector": vector_axes,
        }[self.form]()
        return Site(name, self.width, axes, prefix=self.prefix)

    def __str__(self) -> str:
        return f"{self.form} {self.rows}x{self.columns} width={self.width}" + f" prefix={self.prefix}" * bool(
            self.prefix
        )


@dataclass(frozen=True)
class GuidanceSizes:
    """Holds the sizes of a stream on a folded grid, so that the tokens of a band lie apart, and of a cue."""

    clips: int
    bands: int
    columns: int
    channels: int
    cue_channels: int
    seed: int = 0

    @property
    def band_of_token(self) -> tuple[int, ...]:
        """The band of every token."""
        return folded_axes(2 * self.bands, self.columns, chunks=2)["frequency"]

    def __str__(self) -> str:
        return (
            f"clips={self.clips} tokens={len(self.band_of_token)} channels={self.channels} "
            f"cue_channels={self.cue_channels} seed={self.seed}"
        )


@dataclass(frozen=True)
class SiteSizes:
    """Holds the sizes of the sites of a stream and of its guide."""

    clips: int
    stream: SiteGrid
    guide: SiteGrid
    seed: int = 0

    def sites(self, *, times: int = 1) -> tuple[Site, Site]:
        """Builds the sites of stream and guide, `times` as wide."""
        wide = (replace(grid, width=times * grid.width) for grid in (self.stream, self.guide))
        stream, guide = (grid.site(name) for grid, name in zip(wide, ("stream", "guide"), strict=True))
        return stream, guide

    def __str__(self) -> str:
        return f"clips={self.clips} stream=({self.stream}) guide=({self.guide}) seed={self.seed}"


def smallest(factory: object, candidates: Iterable[S], build: Callable[[S], object]) -> S:
    """Finds the first sizes at which `build` succeeds.

    Args:
        factory: Named in the message.
        candidates: Sizes in the order in which they are tried.
        build: Builds a block, or refuses the sizes.

    Raises:
        ValueError: If it refuses all; the message holds the last refusal.
    """
    refusal: Exception | None = None
    for sizes in candidates:
        try:
            built_at(sizes, factory, partial(build, sizes))
        except REFUSALS as error:
            refusal = error
        else:
            return sizes
    raise ValueError(f"{describe(factory)}: takes none of the sizes that were tried; it last said: {refusal}")


def guidance_candidates(widths: Widths) -> Iterable[GuidanceSizes]:
    """Lists sizes to try with a guidance factory."""
    return (GuidanceSizes(2, 2, 1, channels, cue) for channels, cue in product(widths.tried, widths.tried))


def site_candidates(widths: Widths) -> Iterable[SiteSizes]:
    """Yields sizes to try with a factory of two sites: all widths, and for each all pairs of forms."""
    forms: tuple[Form, ...] = ("image", "folded", "sequence", "vector")
    for width, guide_width, form, guide in product(widths.tried, widths.tried, forms[:3], forms):
        yield SiteSizes(2, SiteGrid(form, 2, 2, width), SiteGrid(guide, 2, 2, guide_width))


def smallest_of(candidates: Callable[[Widths], Iterable[S]], build: Callable[[Any, S], object]) -> Callable[..., S]:
    """Returns a function that finds the smallest sizes that a factory takes: `first(factory, widths=ANY)`.

    Args:
        candidates: Returns sizes to try within bounds.
        build: Calls a factory at sizes.
    """

    def first(factory: Any, *, widths: Widths = ANY) -> S:
        return smallest(factory, candidates(widths), partial(build, factory))

    return first


def guidance_sizes(first: GuidanceSizes, *, widths: Widths = ANY) -> Any:
    """Builds a strategy of `GuidanceSizes`, given the first that a factory takes; a few streams are long."""
    st = needed("hypothesis.strategies")
    return st.builds(
        GuidanceSizes,
        clips=st.integers(2, 3),
        bands=st.integers(2, 4),
        columns=st.sampled_from((1, 2, 3, 9)),
        channels=widths.from_first(first.channels, st),
        cue_channels=widths.from_first(first.cue_channels, st),
        seed=st.integers(0, 999),
    )


def site_sizes(first: SiteSizes, *, widths: Widths = ANY) -> Any:
    """Builds a strategy of `SiteSizes`, given the first that a factory takes; half of them share one site."""
    st = needed("hypothesis.strategies")

    def grids(width: int, *forms: Form) -> Any:
        sides = {"rows": st.integers(2, 4), "columns": st.integers(1, 3)}
        drawn = widths.from_first(width, st)
        return st.builds(SiteGrid, form=st.sampled_from(forms), **sides, width=drawn, prefix=st.integers(0, 1))

    streams = grids(first.stream.width, "image", "folded", "sequence")
    guides = grids(first.guide.width, "image", "folded", "sequence", "vector")
    pairs = st.one_of(streams.map(lambda one: (one, one)), st.tuples(streams, guides))

    def sizes(clips: int, pair: tuple[SiteGrid, SiteGrid], seed: int) -> SiteSizes:
        return SiteSizes(clips, *pair, seed=seed)

    return st.builds(sizes, st.integers(2, 3), pairs, st.integers(0, 999))
