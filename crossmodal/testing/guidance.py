"""Checks guidance against the laws: any factory of guidance blocks."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from . import laws
from .laws.maps import GuidanceTrial
from .report import Report
from .sizes import GuidanceSizes, guidance_candidates, guidance_sizes, smallest_of
from .suite import Suite
from .trial import segments_of

AnyGuidanceFactory = Callable[..., nn.Module]
"""`factory(channels, cue_channels)`; also called with `bands=`, the band of every token, where it asks for them."""


def check_guidance(factory: AnyGuidanceFactory, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Report:
    """Checks all laws of guidance on the blocks that a factory makes at drawn widths.

    The kind is read off the map's shape: channel `frame 1 channel`, spatial `frame token 1`, temporal `frame 1 1`. A
    factory with a keyword `bands` that has no default is given the band of every token, and makes frequency guidance.
    A block that names `segments` is clip-wise.

    Args:
        factory: Called with the widths of stream and cue; returns a guidance block.
        widths: The only widths that are drawn; by default small ones of which the factory takes some.
        multiple_of: Widths that are drawn are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ValueError: If the factory takes none of the widths that are tried, or a layer has no size yet.
        RuntimeError: If the factory fails at a draw otherwise than by refusing it; the message names the draw.
        ImportError: If hypothesis is not installed.
    """
    return GUIDANCE.bounded(widths=widths, multiple_of=multiple_of).check(factory)


def takes_bands(factory: AnyGuidanceFactory) -> bool:
    """Returns whether a factory cannot be called without `bands`."""
    parameters = inspect.signature(factory).parameters
    return "bands" in parameters and parameters["bands"].default is inspect.Parameter.empty


def built(factory: AnyGuidanceFactory, sizes: GuidanceSizes, *, times: int = 1) -> nn.Module:
    """Builds the block of those sizes, `times` as wide."""
    given = {"bands": sizes.band_of_token} if takes_bands(factory) else {}
    return factory(times * sizes.channels, times * sizes.cue_channels, **given)


def guidance_trial(factory: AnyGuidanceFactory, sizes: GuidanceSizes, *, times: int = 1) -> GuidanceTrial:
    """Builds a trial of a block of those sizes, `times` as wide, with a stream and a cue of whole clips."""
    frames = sizes.clips * segments_of(built(factory, sizes))
    inputs = {
        "stream": torch.randn(frames, len(sizes.band_of_token), times * sizes.channels),
        "cue": torch.randn(frames, times * sizes.cue_channels),
    }
    return GuidanceTrial(
        partial(built, factory, sizes, times=times),
        inputs,
        other=partial(built, factory, sizes, times=2),
        wider=lambda times: guidance_trial(factory, sizes, times=times),
        band_of_token=sizes.band_of_token if takes_bands(factory) else None,
    )


GUIDANCE: Suite[AnyGuidanceFactory, GuidanceSizes, GuidanceTrial] = Suite(
    kind="guidance",
    smallest=smallest_of(guidance_candidates, built),
    sizes=guidance_sizes,
    trial=guidance_trial,
    fits=lambda trial: list(trial.run(trial.build())) == ["output"],
    laws=laws.in_order(
        laws.range_and_shape,
        laws.token_permutation,
        laws.constancy,
        laws.band_equivariance,
        laws.stream_is_heard,
        laws.cue_is_heard,
        *laws.EVERY_BLOCK,
    ),
)
"""Laws of every guidance."""
