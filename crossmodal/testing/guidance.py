"""The laws of guidance, asked of any factory of guidance blocks."""

import inspect
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from . import laws
from .laws.maps import GuidanceTrial
from .report import Report
from .sizes import GuidanceSizes, guidance_candidates, guidance_sizes, smallest
from .suite import Suite
from .trial import segments_of

GuidanceFactory = Callable[..., nn.Module]
"""`factory(channels, cue_channels)`; also called with `bands=`, the band of every token, where it asks for them."""


def check_guidance(factory: GuidanceFactory) -> Report:
    """Asks all laws of guidance of the blocks that `factory(channels, cue_channels)` makes, at drawn widths.

    The kind is read off the map's shape: channel `frame 1 channel`, spatial `frame token 1`, temporal `frame 1 1`. A
    factory with a keyword `bands` that has no default is given the band of every token, and makes frequency guidance.
    A block that names `segments` is clip-wise. Raises `LawBroken` with the report where a law is broken, `ValueError`
    where the factory takes no widths, `ImportError` without hypothesis.
    """
    return GUIDANCE.check(factory)


def takes_bands(factory: GuidanceFactory) -> bool:
    """Whether a factory cannot be called without `bands`."""
    parameters = inspect.signature(factory).parameters
    return "bands" in parameters and parameters["bands"].default is inspect.Parameter.empty


def built(factory: GuidanceFactory, sizes: GuidanceSizes, *, times: int = 1) -> nn.Module:
    """The block of those sizes; `times` as wide."""
    given = {"bands": sizes.band_of_token} if takes_bands(factory) else {}
    return factory(times * sizes.channels, times * sizes.cue_channels, **given)


def guidance_trial(factory: GuidanceFactory, sizes: GuidanceSizes) -> GuidanceTrial:
    """A block of those sizes, a stream and a cue of whole clips."""
    frames = sizes.clips * segments_of(built(factory, sizes))
    inputs = {
        "stream": torch.randn(frames, len(sizes.band_of_token), sizes.channels),
        "cue": torch.randn(frames, sizes.cue_channels),
    }
    return GuidanceTrial(
        partial(built, factory, sizes),
        inputs,
        other=partial(built, factory, sizes, times=2),
        band_of_token=sizes.band_of_token if takes_bands(factory) else None,
    )


GUIDANCE: Suite[GuidanceFactory, GuidanceSizes, GuidanceTrial] = Suite(
    kind="guidance",
    smallest=lambda factory: smallest(factory, guidance_candidates(), partial(built, factory)),
    sizes=guidance_sizes,
    trial=guidance_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["output"],
    laws=(
        laws.range_and_shape,
        laws.token_permutation,
        laws.frames_do_not_leak,
        laws.constancy,
        laws.band_equivariance,
        laws.every_parameter_learns,
        laws.checkpointed,
        laws.compiled,
        laws.bad_input_is_named,
        laws.state_dict_round_trip,
        laws.copies,
        laws.built_on_meta,
        laws.repr_shows_the_sizes,
        laws.replaced_layers_are_heard,
    ),
)
"""What every guidance is asked."""
