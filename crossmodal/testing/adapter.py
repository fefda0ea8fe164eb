"""The laws of adapters and of what they are made of, asked of any factory called with sites or widths."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import AdapterFactory
from ..adapters.bottleneck import Sized
from ..site import Site
from . import laws
from .law import Law
from .laws.adapters import AdapterTrial
from .laws.alignments import AlignmentTrial
from .report import Report
from .sizes import SiteSizes, site_candidates, site_sizes, smallest
from .suite import Suite
from .trial import Trial, segments_of

AlignmentFactory = Callable[[Site, Site], Any]
ModulationFactory = Callable[[Site], nn.Module]

EVERY_BLOCK = (
    laws.frames_do_not_leak,
    laws.every_parameter_learns,
    laws.checkpointed,
    laws.compiled,
    laws.bad_input_is_named,
    laws.state_dict_round_trip,
    laws.copies,
    laws.built_on_meta,
    laws.repr_shows_the_sizes,
    laws.replaced_layers_are_heard,
)


def check_adapter(factory: AdapterFactory) -> Report:
    """Asks all laws of adapters of what `factory(stream, guide)` makes between drawn sites.

    Sites are images, folded spectrograms, sequences and, as guides, single vectors; half of the time both are one.
    What a factory refuses with `ValueError` or `KeyError` is drawn again. Raises as `check_guidance` does.
    """
    return ADAPTER.check(factory)


def check_alignment(factory: AlignmentFactory) -> Report:
    """Asks all laws of alignments of what `factory(stream, guide)` makes; raises as `check_guidance` does."""
    return ALIGNMENT.check(factory)


def check_modulation(factory: ModulationFactory) -> Report:
    """Asks all laws of modulations of what `factory(stream)` makes for a cue of the stream's width; raises as
    `check_guidance` does."""
    return MODULATION.check(factory)


def check_bottleneck(factory: Sized) -> Report:
    """Asks of what `factory(width)` makes all laws of blocks that write a residual; raises as `check_guidance` does."""
    return BOTTLENECK.check(factory)


def adapter_trial(factory: AdapterFactory, sizes: SiteSizes) -> AdapterTrial:
    """An adapter between two sites, a stream and a guide of whole clips."""
    (stream, guide), build = sizes.sites(), partial(factory, *sizes.sites())
    frames = sizes.clips * segments_of(build())
    inputs = {"stream": noise(frames, stream), "guide": noise(frames, guide)}
    other = partial(factory, *sizes.sites(times=2))
    return AdapterTrial(build, inputs, other=other, factory=factory, stream=stream)


def alignment_trial(factory: AlignmentFactory, sizes: SiteSizes) -> AlignmentTrial:
    """An alignment between two sites, a guide, and latent rows that read it."""
    (stream, guide), build = sizes.sites(), partial(factory, *sizes.sites())
    inputs = {"guide": noise(sizes.clips * segments_of(build()), guide)}
    latents = torch.randn(1, 2, stream.width)
    other = partial(factory, *sizes.sites(times=2))
    return AlignmentTrial(build, inputs, partial(all_three, latents), other, stream=stream, latents=latents)


def all_three(latents: Tensor, block: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The aligned guide, the cue, and what the latent rows read."""
    guide = inputs["guide"]
    return {"forward": block(guide), "pooled": block.pooled(guide), "attend": block.attend(latents.to(guide), guide)}


def modulation_trial(factory: ModulationFactory, sizes: SiteSizes) -> Trial:
    """A modulation of a site, a stream and a cue of its width."""
    (stream, _), (wider, _) = sizes.sites(), sizes.sites(times=2)
    frames = sizes.clips * segments_of(factory(stream))
    inputs = {"stream": noise(frames, stream), "cue": noise(frames, stream)[:, 0]}
    return Trial(partial(factory, stream), inputs, other=partial(factory, wider))


def bottleneck_trial(factory: Sized, sizes: SiteSizes) -> Trial:
    """A writer of residuals, and a stream."""
    (stream, _), (wider, _) = sizes.sites(), sizes.sites(times=2)
    frames = sizes.clips * segments_of(factory(stream.width))
    return Trial(partial(factory, stream.width), {"stream": noise(frames, stream)}, other=partial(factory, wider.width))


def in_order(*asked: Law[Any]) -> tuple[Law[Any], ...]:
    """Laws by their number."""
    return tuple(sorted(asked, key=lambda law: law.number))


def noise(frames: int, site: Site) -> Tensor:
    """A random stream at a site."""
    return torch.randn(frames, site.tokens, site.width)


ADAPTER: Suite[AdapterFactory, SiteSizes, AdapterTrial] = Suite(
    kind="adapter",
    smallest=lambda factory: smallest(factory, site_candidates(), lambda sizes: factory(*sizes.sites())),
    sizes=site_sizes,
    trial=adapter_trial,
    fits=lambda trial: "residual" in trial.run(trial.build()),
    laws=in_order(
        laws.silent_at_initialisation,
        laws.residual_and_maps,
        laws.cue_sufficiency,
        laws.swapping_sides_swaps_outputs,
        *EVERY_BLOCK,
    ),
)
"""What every adapter is asked."""

ALIGNMENT: Suite[AlignmentFactory, SiteSizes, AlignmentTrial] = Suite(
    kind="alignment",
    smallest=lambda factory: smallest(factory, site_candidates(), lambda sizes: factory(*sizes.sites())),
    sizes=site_sizes,
    trial=alignment_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["forward", "pooled", "attend"],
    laws=in_order(laws.aligned_to_the_stream, laws.fast_equals_direct, *EVERY_BLOCK),
)
"""What every alignment is asked."""

MODULATION: Suite[ModulationFactory, SiteSizes, Trial] = Suite(
    kind="modulation",
    smallest=lambda factory: smallest(factory, site_candidates(), lambda sizes: factory(sizes.sites()[0])),
    sizes=site_sizes,
    trial=modulation_trial,
    fits=lambda trial: "stream" in trial.run(trial.build()),
    laws=(laws.residual_and_maps, laws.factor_lies_in_its_span, laws.weights_of_zero, *EVERY_BLOCK),
)
"""What every modulation is asked."""

BOTTLENECK: Suite[Sized, SiteSizes, Trial] = Suite(
    kind="bottleneck",
    smallest=lambda factory: smallest(factory, site_candidates(), lambda sizes: factory(sizes.stream.width)),
    sizes=site_sizes,
    trial=bottleneck_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["output"],
    laws=(laws.silent_at_initialisation, laws.residual_and_maps, *EVERY_BLOCK),
)
"""What every writer of residuals is asked."""
