from functools import partial

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

from crossmodal.adapters import (
    Adapted,
    Bottleneck,
    Gate,
    GuidedAdapter,
    Modulation,
    Modulations,
    NormalisedFirst,
    ResidualModulated,
    guided_adapter,
    modulation_of,
    unmodulated,
)
from crossmodal.alignment import PooledAlignment, identity_alignment, learned_alignment, pooled_alignment
from crossmodal.attention import LatentTokens, NoLatents
from crossmodal.guidance import ChannelGuidance, ClipGuidance, SpatialGuidance
from crossmodal.site import Site, folded_axes, grid_axes, vector_axes

STREAM, GUIDE = Site("stream", 16, grid_axes(2, 3)), Site("guide", 5, folded_axes(4, 2, chunks=2))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def awake(block):
    """All gates open."""
    for module in block.modules():
        if isinstance(module, Gate):
            nn.init.constant_(module.scale, 0.5)
        if isinstance(module, LatentTokens):
            nn.init.constant_(module.gate, 0.5)
    return block.eval()


def in_published_order(block, carried, cue):
    modulated, maps = block.modulation(carried, cue)
    return block.bottleneck(modulated), maps


def normalised_first(block, carried, cue):
    modulated, maps = block.modulation(block.bottleneck.before(carried), cue)
    return block.bottleneck.write(modulated), maps


def on_the_residual(block, carried, cue):
    factor, maps = block.modulation(carried, cue, target=torch.ones_like(carried))
    return block.bottleneck(carried) * factor, maps


ORDERS = {GuidedAdapter: in_published_order, NormalisedFirst: normalised_first, ResidualModulated: on_the_residual}


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_its_parts_in_order(order):
    block = awake(guided_adapter(STREAM, GUIDE, order=order))
    stream, guide = torch.randn(2, 6, 16), torch.randn(2, 8, 5)
    carried = block.latents(stream, guide, block.align)
    residual, maps = ORDERS[order](block, carried, block.align(guide).mean(1))
    found = block(stream, guide)
    torch.testing.assert_close(found.residual, residual)
    torch.testing.assert_close(found.maps, maps)
    assert list(found.maps) == ["channel", "spatial"]


def all_three(stream):
    width = stream.width
    guidance = {"channel": (ChannelGuidance, 0.3), "spatial": (SpatialGuidance, 0.05)}
    return Modulations(modulation_of(width, guidance), modulation_of(width, {"temporal": (ClipGuidance, 0.1)}))


def heard(order, name):
    """How far the residual moves, relatively, where one map is another of the same range."""
    block = awake(guided_adapter(STREAM, GUIDE, modulation=all_three, order=order)).double()
    inputs = torch.randn(10, 6, 16, dtype=torch.float64), torch.randn(10, 8, 5, dtype=torch.float64)
    residual, _ = block(*inputs)
    guidance = next(module for key, module in block.modulation.named_modules() if key.endswith(name))
    guidance.register_forward_hook(lambda module, given, map: torch.rand_like(map))
    moved, _ = block(*inputs)
    return ((moved - residual).norm() / residual.norm()).item()


@pytest.mark.parametrize(("name", "weight"), [("channel", 0.3), ("spatial", 0.05), ("temporal", 0.1)])
def test_every_map_moves_the_residual_by_its_weight(name, weight):
    """A random map is 0.3 away from an undecided one, on average; the factor is at most 1.5."""
    assert weight * 0.15 < heard(ResidualModulated, name) < weight


def test_in_the_published_order_the_entry_norm_undoes_a_factor_of_one_number_per_frame():
    """LN(c·x) = LN(x), but for the norm's epsilon: the finding behind `ResidualModulated`."""
    assert heard(GuidedAdapter, "channel") > 0.02
    assert heard(GuidedAdapter, "spatial") < 5e-3  # its ratio to the channel map is what is left
    assert heard(GuidedAdapter, "temporal") < 1e-5


def test_every_keyword_is_a_number_or_a_factory():
    seen = []

    def factory_of(name, build):
        return lambda *given: (seen.append((name, given)), build(*given))[1]

    block = guided_adapter(
        STREAM,
        GUIDE,
        align=factory_of("align", pooled_alignment),
        latents=factory_of("latents", NoLatents),
        modulation=factory_of("modulation", unmodulated),
        bottleneck=factory_of("bottleneck", partial(Bottleneck, reduction=4)),
    )
    assert seen == [("align", (STREAM, GUIDE)), ("latents", (16,)), ("modulation", (STREAM,)), ("bottleneck", (16,))]
    assert isinstance(block.align, PooledAlignment)
    assert isinstance(guided_adapter(STREAM, GUIDE, latents=0).latents, NoLatents)
    assert guided_adapter(STREAM, GUIDE, latents=3).latents.tokens.shape == (3, 16)


@pytest.mark.parametrize("align", [learned_alignment, pooled_alignment])
def test_a_vector_can_be_the_guide(align):
    block = awake(guided_adapter(STREAM, Site("vector", 5, vector_axes()), align=align))
    residual, _ = block(torch.randn(2, 6, 16), torch.randn(2, 1, 5))
    assert residual.abs().sum() > 0


def test_the_guide_speaks_through_the_cue_alone_without_latents():
    torch.manual_seed(0)
    block = awake(guided_adapter(STREAM, STREAM, align=identity_alignment, latents=0))
    stream, guide = torch.randn(2, 6, 16), torch.randn(2, 6, 16)
    torch.testing.assert_close(block(stream, guide), block(stream, guide.flip(1)))


def test_a_guide_with_other_frames_is_named():
    block = guided_adapter(STREAM, GUIDE)
    with pytest.raises(TypeCheckError, match=r"(?s)Modulated\.forward.*parameter 'guide'.*f32\[3,8,5\].*frame=2"):
        block(torch.zeros(2, 6, 16), torch.zeros(3, 8, 5))


class Broadcasting(nn.Module):
    """A bottleneck that returns one token for all."""

    def forward(self, stream):
        return stream.mean(1, keepdim=True)


class Overwide(nn.Module):
    """A modulation whose map is as wide as nothing here."""

    def forward(self, stream, cue):
        return stream, {"spatial": torch.zeros(len(stream), 5, 1)}


def test_what_its_parts_return_is_checked():
    stream, guide = torch.zeros(2, 6, 16), torch.zeros(2, 8, 5)
    published = partial(guided_adapter, STREAM, GUIDE, order=GuidedAdapter)
    with pytest.raises(TypeCheckError, match=r"GuidedAdapter\.forward returned a wrong residual: .*\(2, 1, 16\)"):
        published(bottleneck=lambda width: Broadcasting())(stream, guide)
    with pytest.raises(TypeCheckError, match=r"forward returned a wrong maps\['spatial'\]: .*\(2, 5, 1\)"):
        published(modulation=lambda site: Overwide())(stream, guide)
    with pytest.raises(TypeCheckError, match=r"(?s)Modulation\.forward.*parameter 'target'.*f32\[2,1,16\]"):
        guided_adapter(STREAM, GUIDE, bottleneck=lambda width: Broadcasting())(stream, guide)


def test_a_modulation_that_can_multiply_the_stream_alone_is_refused():
    with pytest.raises(ValueError, match=r"ResidualModulated: modulation=Overwide must take a keyword target.*order="):
        guided_adapter(STREAM, GUIDE, modulation=lambda site: Overwide())


def test_maps_come_by_name():
    def modulation(stream):
        return Modulation({"mine": (ChannelGuidance(stream.width, stream.width), 0.1)})

    adapted = guided_adapter(STREAM, GUIDE, modulation=modulation)(torch.zeros(2, 6, 16), torch.zeros(2, 8, 5))
    assert isinstance(adapted, Adapted)
    assert list(adapted.maps) == ["mine"]
