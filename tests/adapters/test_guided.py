from functools import partial

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

from crossmodal.adapters import Adapted, Bottleneck, Gate, Modulation, guided_adapter, unmodulated
from crossmodal.alignment import PooledAlignment, identity_alignment, learned_alignment, pooled_alignment
from crossmodal.attention import LatentTokens, NoLatents
from crossmodal.guidance import ChannelGuidance
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


def test_it_is_its_parts_in_order():
    torch.manual_seed(0)
    block = awake(guided_adapter(STREAM, GUIDE))
    stream, guide = torch.randn(2, 6, 16), torch.randn(2, 8, 5)
    carried = block.latents(stream, guide, block.align)
    modulated, maps = block.modulation(carried, block.align(guide).mean(1))
    residual, found = block(stream, guide)
    torch.testing.assert_close(residual, block.bottleneck(modulated))
    torch.testing.assert_close(found, maps)
    assert list(found) == ["channel", "spatial"]


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
    with pytest.raises(TypeCheckError, match=r"(?s)GuidedAdapter\.forward.*parameter 'guide'.*f32\[3,8,5\].*frame=2"):
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
    with pytest.raises(TypeCheckError, match=r"GuidedAdapter\.forward returned a wrong residual: .*\(2, 1, 16\)"):
        guided_adapter(STREAM, GUIDE, bottleneck=lambda width: Broadcasting())(stream, guide)
    with pytest.raises(TypeCheckError, match=r"forward returned a wrong maps\['spatial'\]: .*\(2, 5, 1\)"):
        guided_adapter(STREAM, GUIDE, modulation=lambda site: Overwide())(stream, guide)


def test_maps_come_by_name():
    def modulation(stream):
        return Modulation({"mine": (ChannelGuidance(stream.width, stream.width), 0.1)})

    adapted = guided_adapter(STREAM, GUIDE, modulation=modulation)(torch.zeros(2, 6, 16), torch.zeros(2, 8, 5))
    assert isinstance(adapted, Adapted)
    assert list(adapted.maps) == ["mine"]
