"""Controls: an adapter that reads something else than its guide, and is otherwise the adapter."""

from functools import partial

import pytest
import torch
from torch import nn

from crossmodal.adapters import (
    FrozenMap,
    Gate,
    Modulation,
    guided_adapter,
    modulation_of,
    no_guide,
    own_stream,
    shuffled,
    true_guide,
)
from crossmodal.attention import LatentTokens
from crossmodal.guidance import SpatialGuidance
from crossmodal.site import Site, grid_axes
from crossmodal.testing import parametrize_laws

STREAM, GUIDE = Site("stream", 16, grid_axes(2, 3)), Site("guide", 8, grid_axes(2, 2))
CLIPS, SEGMENTS = 3, 2


def pair(control):
    """The plain adapter awake, and the one under the control with the same weights."""
    torch.manual_seed(0)
    plain = guided_adapter(STREAM, STREAM if control is own_stream else GUIDE)
    for module in plain.modules():
        for parameter in module.parameters(recurse=False):
            if isinstance(module, Gate) or (isinstance(module, LatentTokens) and parameter.numel() == 1):
                nn.init.constant_(parameter, 0.5)
    controlled = control(guided_adapter)(STREAM, GUIDE)
    controlled.adapter.load_state_dict(plain.state_dict())
    return plain.eval(), controlled.eval()


def streams():
    torch.manual_seed(1)
    return torch.randn(CLIPS * SEGMENTS, 6, 16), torch.randn(CLIPS * SEGMENTS, 4, 8)


def test_the_placebo_reads_the_clip_before_second_by_second():
    plain, placebo = pair(partial(shuffled, segments=SEGMENTS))
    stream, guide = streams()
    clips = guide.reshape(CLIPS, SEGMENTS, 4, 8)
    moved = torch.stack([clips[(clip - 1) % CLIPS] for clip in range(CLIPS)]).flatten(0, 1)
    torch.testing.assert_close(placebo(stream, guide).residual, plain(stream, moved).residual)
    assert not torch.allclose(placebo(stream, guide).residual, plain(stream, guide).residual)


def test_a_placebo_knows_nothing_of_its_own_clip():
    _, placebo = pair(partial(shuffled, segments=SEGMENTS))
    stream, guide = streams()
    other = guide.clone()
    other[:SEGMENTS] += 1
    changed = (placebo(stream, other).residual != placebo(stream, guide).residual).flatten(1).any(1)
    assert changed.tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize("frames", [SEGMENTS, 5])
def test_without_another_clip_there_is_no_placebo(frames):
    _, placebo = pair(partial(shuffled, segments=SEGMENTS))
    stream, guide = streams()
    with pytest.raises(ValueError, match=f"shuffled: guide has {frames} frames, .* segments={SEGMENTS}"):
        placebo(stream[:frames], guide[:frames])


def test_a_stream_that_guides_itself():
    plain, control = pair(own_stream)
    stream, guide = streams()
    torch.testing.assert_close(control(stream, guide).residual, plain(stream, stream).residual)


def test_nothing_is_heard_of_a_guide_that_is_left_out():
    plain, control = pair(no_guide)
    stream, guide = streams()
    torch.testing.assert_close(control(stream, guide).residual, plain(stream, 0 * guide).residual)
    assert torch.equal(control(stream, guide).residual, control(stream, -guide).residual)


def test_the_true_guide_is_the_adapter_itself():
    assert true_guide(guided_adapter) is guided_adapter


@pytest.mark.parametrize("control", [shuffled, own_stream, no_guide], ids=lambda control: control.__name__)
def test_a_control_says_what_it_reads_and_has_the_parts_of_the_adapter(control):
    controlled, plain = control(guided_adapter)(STREAM, STREAM), guided_adapter(STREAM, STREAM)
    assert "guide=of_" in controlled.extra_repr()
    assert [p.shape for p in controlled.parameters()] == [p.shape for p in plain.parameters()]


def test_a_frozen_map_scales_the_whole_stream_by_one_number():
    modulation = modulation_of(16, {"channel": (FrozenMap, 0.3), "spatial": (partial(FrozenMap, value=1.0), 0.1)})
    stream, maps = modulation(streams()[0], torch.randn(CLIPS * SEGMENTS, 16))
    torch.testing.assert_close(stream, streams()[0] * (1 + 0.3 * 0.5 + 0.1 * 1.0))
    assert {name: (map.shape[1:], map.unique().tolist()) for name, map in maps.items()} == {
        "channel": ((6, 1), [0.5]),
        "spatial": ((6, 1), [1.0]),
    }
    assert not list(modulation.parameters())
    assert "value=0.5" in repr(modulation)


def test_a_frozen_map_is_still_seen_through():
    spatial = SpatialGuidance(16, 16)
    modulation = Modulation({"channel": (FrozenMap(16, 16), 0.3), "spatial": (spatial, 0.1)})
    stream, cue = streams()[0], torch.randn(CLIPS * SEGMENTS, 16)
    torch.testing.assert_close(modulation(stream, cue).maps["spatial"], spatial(stream * 1.5, cue))


@parametrize_laws(FrozenMap)
def test_a_frozen_map_keeps_the_laws_of_a_guidance(law):
    law()


def test_a_map_is_frozen_in_the_range_of_maps():
    with pytest.raises(ValueError, match=r"FrozenMap: value=1.5 must lie in \[0, 1\]"):
        FrozenMap(16, 16, value=1.5)
