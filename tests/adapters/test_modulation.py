import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.adapters import Modulation, Modulations, channel_and_spatial, modulation_of, unmodulated
from crossmodal.guidance import ChannelGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.site import Site, grid_axes


@st.composite
def modulated(draw):
    """Three guidance blocks, their weights and base, a stream and a cue, in float64."""
    torch.manual_seed(draw(st.integers(0, 999)))
    frames, tokens, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3)), 2 * draw(st.integers(1, 2))
    weights = draw(st.lists(st.floats(-2, 2), min_size=3, max_size=3))
    kinds = {"channel": ChannelGuidance, "spatial": SpatialGuidance, "temporal": SegmentGuidance}
    guidance = {
        name: (kind(channels, 3).double(), weight) for (name, kind), weight in zip(kinds.items(), weights, strict=True)
    }
    stream, cue = torch.randn(frames, tokens, channels).double(), torch.randn(frames, 3).double()
    return guidance, draw(st.floats(-1, 2)), stream, cue


@given(modulated())
def test_it_is_the_formula(case):
    """Entry by entry; the spatial block sees the stream scaled by (1 + channel map), the others see it as it is."""
    guidance, base, stream, cue = case
    found, maps = Modulation(guidance, base=base)(stream, cue)
    channel = guidance["channel"][0](stream, cue)
    spatial = guidance["spatial"][0](stream * (1 + channel), cue)
    temporal = guidance["temporal"][0](stream, cue)
    assert list(maps) == ["channel", "spatial", "temporal"]
    for name, expected in {"channel": channel, "spatial": spatial, "temporal": temporal}.items():
        torch.testing.assert_close(maps[name], expected)
    for frame in range(len(stream)):
        for token in range(stream.shape[1]):
            for at in range(stream.shape[2]):
                factor = base + guidance["channel"][1] * channel[frame, 0, at]
                factor += guidance["spatial"][1] * spatial[frame, token, 0]
                factor += guidance["temporal"][1] * temporal[frame, 0, 0]
                torch.testing.assert_close(found[frame, token, at], stream[frame, token, at] * factor)


@given(modulated())
def test_the_paper_applies_one_modulation_after_another(case):
    """Two bases of one, the second block seeing what the first has done."""
    guidance, _, stream, cue = case
    temporal = {"temporal": guidance.pop("temporal")}
    first, second = Modulation(guidance), Modulation(temporal)
    found, maps = Modulations(first, second)(stream, cue)
    once = first(stream, cue)
    twice = second(once.stream, cue)
    torch.testing.assert_close(found, twice.stream)
    assert list(maps) == ["channel", "spatial", "temporal"]
    torch.testing.assert_close(maps, once.maps | twice.maps)


def test_a_block_sees_what_it_asks_for_and_what_exists():
    torch.manual_seed(0)
    stream, cue = torch.randn(2, 3, 4), torch.randn(2, 3)
    channel, spatial, blind = ChannelGuidance(4, 3), SpatialGuidance(4, 3), SpatialGuidance(4, 3, sees=())
    blind.load_state_dict(spatial.state_dict())
    alone = Modulation({"spatial": (spatial, 1.0)})(stream, cue).maps["spatial"]
    assert torch.equal(alone, spatial(stream, cue))
    both = {"channel": (channel, 1.0), "spatial": (blind, 1.0)}
    assert torch.equal(Modulation(both)(stream, cue).maps["spatial"], alone)
    swapped = {"spatial": (spatial, 1.0), "channel": (channel, 1.0)}
    assert torch.equal(Modulation(swapped)(stream, cue).maps["spatial"], alone)


def test_weights_may_be_learned_and_are_saved():
    torch.manual_seed(0)

    def learned(value):
        return Modulation({"channel": (ChannelGuidance(4, 3), nn.Parameter(torch.tensor(value)))}, base=0.7)

    one, other = learned(0.3), learned(0.5)
    assert "channel_weight" in dict(one.named_parameters())
    other.load_state_dict(one.state_dict())
    stream, cue = torch.randn(2, 3, 4), torch.randn(2, 3)
    assert torch.equal(one(stream, cue).stream, other(stream, cue).stream)
    one(stream, cue).stream.sum().backward()
    expected = (stream * one.channel(stream, cue)).sum()
    torch.testing.assert_close(one.channel_weight.grad, expected)


def test_numbers_are_neither_learned_nor_saved():
    assert not dict(unmodulated(Site("stream", 4, grid_axes(2, 2))).named_parameters())
    block = Modulation({"temporal": (SegmentGuidance(4, 3), 0.05)})
    assert set(block.state_dict()) == {"temporal.readout.weight", "temporal.readout.bias"}


def test_without_maps_nothing_happens():
    stream = torch.randn(2, 3, 4)
    modulated, maps = unmodulated(Site("stream", 4, grid_axes(3, 1)))(stream, torch.randn(2, 4))
    assert torch.equal(modulated, stream)
    assert maps == {}


def test_the_default_is_the_sum_of_the_paper():
    block = channel_and_spatial(Site("stream", 4, grid_axes(2, 2)), alpha=0.2, beta=0.1)
    assert (block.base, block.names) == (1.0, ("channel", "spatial"))
    assert (block.channel_weight, block.spatial_weight) == (0.2, 0.1)


def test_factories_that_are_none_are_left_out():
    block = modulation_of(4, {"channel": (None, 0.3), "temporal": (SegmentGuidance, 0.1)}, base=0.7)
    assert (block.names, block.base) == (("temporal",), 0.7)


def test_names_that_clash_are_refused():
    one = Modulation({"temporal": (SegmentGuidance(4, 3), 0.1)})
    words = r"Modulations: map names must differ between modulations, got \['temporal', 'temporal'\]"
    with pytest.raises(ValueError, match=words):
        Modulations(one, Modulation({"temporal": (SegmentGuidance(4, 3), 0.1)}))


def test_it_shows_base_and_weights():
    segments = SegmentGuidance(4, 3)
    assert "base=0.7, temporal=0.05" in repr(Modulation({"temporal": (segments, 0.05)}, base=0.7))
    learned = Modulation({"temporal": (segments, nn.Parameter(torch.tensor(0.25)))})
    assert "temporal=0.25" in repr(learned)
    assert "temporal=()" in repr(learned.to("meta"))
    assert "temporal=(4,)" in repr(Modulation({"temporal": (segments, nn.Parameter(torch.zeros(4)))}))


@given(modulated())
def test_what_a_target_is_multiplied_by_in_turn_is_one_factor(case):
    """Values and gradients of the paper's form, of a learned weight a channel, and of two factors that stay apart."""
    guidance, base, stream, cue = case
    target = torch.randn_like(stream).requires_grad_()
    temporal = {"temporal": guidance.pop("temporal")}
    weight = nn.Parameter(torch.randn(stream.shape[2]).double())
    orders = [
        [Modulation(guidance, base=base), Modulation(temporal)],
        [Modulation(temporal), Modulation(guidance, base=base)],
        [
            Modulation({"spatial": guidance["spatial"]}, base=base),
            Modulation({"channel": (guidance["channel"][0], weight)}),
        ],
    ]
    for parts in orders:
        found, maps = Modulations(*parts)(stream, cue, target=target)
        expected = target
        for part in parts:
            expected = part(stream, cue, target=expected).stream
        assert list(maps) == [name for part in parts for name in part.names]
        learned = [target, *Modulations(*parts).parameters()]
        both = [torch.autograd.grad(out.square().sum(), learned, allow_unused=True) for out in (found, expected)]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(*both, rtol=1e-10, atol=1e-10)


def test_the_paper_s_form_keeps_its_target_once():
    """Of 60 tokens of 8 channels: the stream that is read, and what is multiplied; no half-modulated one."""
    torch.manual_seed(0)
    block = Modulations(
        Modulation({"channel": (ChannelGuidance(8, 3), 0.3), "spatial": (SpatialGuidance(8, 3), 0.05)}),
        Modulation({"temporal": (SegmentGuidance(8, 3), 0.1)}),
    )
    stream, target = (torch.randn(1, 60, 8, requires_grad=True) for _ in range(2))
    kept = set()

    def keep(tensor):
        kept.add(tensor.untyped_storage().data_ptr() if tensor.is_floating_point() and tensor.numel() == 480 else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(stream, torch.randn(1, 3), target=target)
    assert kept - {0} == {tensor.untyped_storage().data_ptr() for tensor in (stream, target)}


def test_a_hooked_modulation_is_called():
    """One factor is not taken where a hook wants to see the stream between both."""
    parts = Modulation({}, base=2), Modulation({}, base=3.0)  # a whole number is one, too
    parts[0].register_forward_hook(lambda module, args, out: out._replace(stream=out.stream + 1))
    found = Modulations(*parts)(torch.ones(1, 2, 4), torch.ones(1, 3), target=torch.ones(1, 2, 4))
    assert torch.equal(found.stream, torch.full((1, 2, 4), 9.0))
