"""Checks adapters and their parts against the laws: any factory that is called with sites or widths."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..adapters import AdapterFactory, AlignmentFactory
from ..adapters.bottleneck import Sized
from ..adapters.guided import ModulationFactory
from ..site import Site
from . import laws
from .laws.adapters import AdapterTrial
from .laws.alignments import AlignmentTrial
from .report import Report
from .sizes import SiteSizes, site_candidates, site_sizes, smallest_of
from .suite import Suite
from .trial import Trial, segments_of


def check_adapter(factory: AdapterFactory, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Report:
    """Checks all laws of adapters on what a factory makes between drawn sites.

    Sites are images, folded spectrograms, sequences and, as guides, single vectors; half of the time both are one.
    Sites that the factory refuses with `ValueError` or `KeyError` are drawn again.

    Args:
        factory: Called with the sites of stream and guide; returns an adapter.
        widths: The only widths that are drawn; by default small ones of which the factory takes some.
        multiple_of: Widths that are drawn are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return ADAPTER.bounded(widths=widths, multiple_of=multiple_of).check(factory)


def check_alignment(factory: AlignmentFactory, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Report:
    """Checks all laws of alignments on what a factory makes between drawn sites.

    Args:
        factory: Called with the sites of stream and guide; returns an alignment.
        widths: The only widths that are drawn; by default small ones of which the factory takes some.
        multiple_of: Widths that are drawn are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return ALIGNMENT.bounded(widths=widths, multiple_of=multiple_of).check(factory)


def check_modulation(
    factory: ModulationFactory, *, widths: Sequence[int] | None = None, multiple_of: int = 1
) -> Report:
    """Checks all laws of modulations on what a factory makes at drawn sites, for cues of the stream's width.

    Args:
        factory: Called with the site of a stream; returns a modulation.
        widths: The only widths that are drawn; by default small ones of which the factory takes some.
        multiple_of: Widths that are drawn are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return MODULATION.bounded(widths=widths, multiple_of=multiple_of).check(factory)


def check_bottleneck(factory: Sized, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Report:
    """Checks all laws of blocks that write a residual on what a factory makes at drawn widths.

    Args:
        factory: Called with the width of a stream; returns a block that writes a residual.
        widths: The only widths that are drawn; by default small ones of which the factory takes some.
        multiple_of: Widths that are drawn are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return BOTTLENECK.bounded(widths=widths, multiple_of=multiple_of).check(factory)


def adapter_trial(factory: AdapterFactory, sizes: SiteSizes, *, times: int = 1) -> AdapterTrial:
    """Builds a trial of an adapter between two sites, `times` as wide, with a stream and a guide of whole clips."""
    stream, guide = sizes.sites(times=times)
    build = partial(factory, stream, guide)
    frames = sizes.clips * segments_of(build())
    inputs = {"stream": noise(frames, stream), "guide": noise(frames, guide)}
    other = partial(factory, *sizes.sites(times=2))
    return AdapterTrial(
        build, inputs, other=other, wider=at_times(adapter_trial, factory, sizes), factory=factory, stream=stream
    )


def at_times(trial: Callable[..., Trial], factory: Any, sizes: SiteSizes) -> Callable[[int], Trial]:
    """Returns a function that builds the same trial so many times as wide."""
    return lambda times: trial(factory, sizes, times=times)


def alignment_trial(factory: AlignmentFactory, sizes: SiteSizes, *, times: int = 1) -> AlignmentTrial:
    """Builds a trial of an alignment between two sites, with a guide and latent rows that read it."""
    (stream, guide), build = sizes.sites(times=times), partial(factory, *sizes.sites(times=times))
    inputs = {"guide": noise(sizes.clips * segments_of(build()), guide)}
    latents = torch.randn(1, 2, stream.width)
    other = partial(factory, *sizes.sites(times=2))
    wider = at_times(alignment_trial, factory, sizes)
    return AlignmentTrial(build, inputs, partial(all_three, latents), other, wider, stream=stream, latents=latents)


def all_three(latents: Tensor, block: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the aligned guide, the cue, and what the latent rows read."""
    guide = inputs["guide"]
    return {"forward": block(guide), "pooled": block.pooled(guide), "attend": block.attend(latents.to(guide), guide)}


def modulation_trial(factory: ModulationFactory, sizes: SiteSizes, *, times: int = 1) -> Trial:
    """Builds a trial of a modulation at a site, with a stream and a cue of its width."""
    (stream, _), (other, _) = sizes.sites(times=times), sizes.sites(times=2)
    frames = sizes.clips * segments_of(factory(stream))
    inputs = {"stream": noise(frames, stream), "cue": noise(frames, stream)[:, 0]}
    wider = at_times(modulation_trial, factory, sizes)
    return Trial(partial(factory, stream), inputs, other=partial(factory, other), wider=wider)


def bottleneck_trial(factory: Sized, sizes: SiteSizes, *, times: int = 1) -> Trial:
    """Builds a trial of a block that writes a residual, with a stream."""
    (stream, _), (other, _) = sizes.sites(times=times), sizes.sites(times=2)
    inputs = {"stream": noise(sizes.clips * segments_of(factory(stream.width)), stream)}
    wider = at_times(bottleneck_trial, factory, sizes)
    return Trial(partial(factory, stream.width), inputs, other=partial(factory, other.width), wider=wider)


def noise(frames: int, site: Site) -> Tensor:
    """Draws a random stream at a site."""
    return torch.randn(frames, site.tokens, site.width)


ADAPTER: Suite[AdapterFactory, SiteSizes, AdapterTrial] = Suite(
    kind="adapter",
    smallest=smallest_of(site_candidates, lambda factory, sizes: factory(*sizes.sites())),
    sizes=site_sizes,
    trial=adapter_trial,
    fits=lambda trial: "residual" in trial.run(trial.build()),
    laws=laws.in_order(
        laws.silent_at_initialisation,
        laws.residual_and_maps,
        laws.every_map_is_heard,
        laws.cue_sufficiency,
        laws.stream_is_heard,
        laws.guide_is_heard,
        laws.swapping_sides_swaps_outputs,
        *laws.EVERY_BLOCK,
    ),
)
"""Laws of every adapter."""

ALIGNMENT: Suite[AlignmentFactory, SiteSizes, AlignmentTrial] = Suite(
    kind="alignment",
    smallest=smallest_of(site_candidates, lambda factory, sizes: factory(*sizes.sites())),
    sizes=site_sizes,
    trial=alignment_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["forward", "pooled", "attend"],
    laws=laws.in_order(laws.aligned_to_the_stream, laws.guide_is_heard, laws.fast_equals_direct, *laws.EVERY_BLOCK),
)
"""Laws of every alignment."""

MODULATION: Suite[ModulationFactory, SiteSizes, Trial] = Suite(
    kind="modulation",
    smallest=smallest_of(site_candidates, lambda factory, sizes: factory(sizes.sites()[0])),
    sizes=site_sizes,
    trial=modulation_trial,
    fits=lambda trial: "stream" in trial.run(trial.build()),
    laws=laws.in_order(
        laws.residual_and_maps,
        laws.factor_lies_in_its_span,
        laws.weights_of_zero,
        laws.stream_is_heard,
        laws.cue_is_heard,
        *laws.EVERY_BLOCK,
    ),
)
"""Laws of every modulation."""

BOTTLENECK: Suite[Sized, SiteSizes, Trial] = Suite(
    kind="bottleneck",
    smallest=smallest_of(site_candidates, lambda factory, sizes: factory(sizes.stream.width)),
    sizes=site_sizes,
    trial=bottleneck_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["output"],
    laws=laws.in_order(laws.silent_at_initialisation, laws.residual_and_maps, laws.stream_is_heard, *laws.EVERY_BLOCK),
)
"""Laws of every block that writes a residual."""
