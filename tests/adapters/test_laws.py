"""Modulations, bottlenecks and adapters keep every law."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from crossmodal.adapters import (
    Bottleneck,
    Gate,
    GateThenNorm,
    Modulation,
    Modulations,
    NormThenGate,
    channel_and_spatial,
    guided_adapter,
    unmodulated,
)
from crossmodal.alignment import identity_alignment, learned_alignment, pooled_alignment
from crossmodal.guidance import ChannelGuidance, ClipGuidance, FrequencyGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.site import Site, grid_axes
from crossmodal.testing import ADAPTER, Trial, laws, parametrize_laws
from crossmodal.testing.trial import differentiated

# What an adapter is made of is compiled on its own; whole adapters are in coupled models (tests/recipes/ave).
UNCOMPILED = replace(ADAPTER, laws=[law for law in ADAPTER.laws if law is not laws.compiled_agrees])


def in_the_paper(stream):
    """Channel and spatial maps, then the temporal one."""
    width = stream.width
    guidance = {"channel": (ChannelGuidance(width, width), 0.3), "spatial": (SpatialGuidance(width, width), 0.05)}
    temporal = ClipGuidance(width, width, segments=2, hidden=2)
    return Modulations(Modulation(guidance), Modulation({"temporal": (temporal, 0.1)}))


def few_shot(stream):
    """All maps in one sum, their weights learned, base 1 - α."""
    width = stream.width
    kinds = {"channel": ChannelGuidance, "spatial": SpatialGuidance, "temporal": SegmentGuidance}
    guidance = {name: (kind(width, width), nn.Parameter(torch.tensor(0.2))) for name, kind in kinds.items()}
    return Modulation(guidance, base=0.8)


def band_wise(stream):
    """Frequency guidance, on spectrograms alone."""
    if stream.prefix:
        raise ValueError("a leading token has no band")
    bands = stream.axes["frequency"]
    return Modulation({"frequency": (FrequencyGuidance(stream.width, stream.width, bands=bands), 0.05)})


@parametrize_laws(in_the_paper, few_shot, band_wise, unmodulated)
def test_modulations(law):
    law()


small = partial(Bottleneck, reduction=2, groups=1)


@parametrize_laws(
    small,
    partial(small, before=nn.Identity, norm=nn.Identity, finish=GateThenNorm),
    NormThenGate,
    GateThenNorm,
    Gate,
)
def test_bottlenecks(law):
    law()


@parametrize_laws(
    partial(guided_adapter, latents=2, modulation=channel_and_spatial, bottleneck=small), suite=UNCOMPILED
)
def test_the_default(law):
    law()


@pytest.mark.slow
def test_the_default_compiled_by_inductor():
    """A minute: the default backend, forward and backward, in training mode."""
    torch.manual_seed(0)
    stream, guide = Site("stream", 8, grid_axes(2, 3)), Site("guide", 6, grid_axes(2, 2))
    block = guided_adapter(stream, guide, latents=2, bottleneck=small)
    trial = Trial.of(block, stream=torch.randn(2, 6, 8), guide=torch.randn(2, 4, 6)).exact()
    block = trial.woken().train()
    expected, found = (
        differentiated(trial, block, call) for call in (trial.call, torch.compile(trial.call, fullgraph=True))
    )
    torch.testing.assert_close(found, expected)


@parametrize_laws(
    partial(guided_adapter, align=learned_alignment, latents=2, modulation=in_the_paper, bottleneck=small),
    partial(guided_adapter, align=identity_alignment, latents=2, modulation=unmodulated),
    partial(guided_adapter, align=pooled_alignment, latents=0, modulation=few_shot, bottleneck=small),
    suite=UNCOMPILED,
)
def test_other_forms(law):
    law()
