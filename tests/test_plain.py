"""A layer is evaluated through its weights only where nobody could tell: else it is called."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from crossmodal.adapters import Bottleneck, GuidedAdapter, NormThenGate, guided_adapter
from crossmodal.alignment import LearnedAlignment, ResampledAlignment, as_alignment, learned_alignment
from crossmodal.alignment.alignment import Formed
from crossmodal.attention import CosineWindowAttention, WindowAttention
from crossmodal.encoders.feed_forward import FeedForward
from crossmodal.encoders.patches import PatchEmbedding, PatchMerging
from crossmodal.guidance import ChannelGuidance, ClipGuidance, FrequencyGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.guidance.low_rank import LowRankChannelGuidance
from crossmodal.plain import all_plain, is_affine, is_plain, measuring
from crossmodal.site import Site, grid_axes


class Mine(nn.Linear):
    """A layer of somebody's own."""


class Weight(torch.Tensor):
    """A weight that is kept otherwise, as a quantised one."""


def with_hook(register, hook=lambda *_: None):
    def change(layer):
        getattr(layer, register)(hook)
        return layer

    return change


def with_own_forward(layer):
    layer.forward = lambda input: input
    return layer


def with_kept_otherwise(layer):
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Weight), requires_grad=False)
    return layer


CHANGES = {
    "of a subclass": lambda layer: Mine(2, 2),
    "forward hook": with_hook("register_forward_hook"),
    "forward pre-hook": with_hook("register_forward_pre_hook"),
    "backward hook": with_hook("register_full_backward_hook"),
    "backward pre-hook": with_hook("register_full_backward_pre_hook"),
    "own forward": with_own_forward,
    "parametrized": parametrizations.weight_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 1),
    "weight of a subclass": with_kept_otherwise,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_a_layer_shows(change):
    layer = nn.Linear(2, 2)
    assert is_plain(layer, nn.ReLU, nn.Linear)
    assert not is_plain(change(layer), nn.ReLU, nn.Linear)


def test_a_hook_that_measures_changes_nothing():
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(measuring(lambda *_: None))
    assert is_plain(layer, nn.Linear)
    layer.register_forward_hook(lambda *_: None)
    assert not is_plain(layer, nn.Linear)


def test_weights_that_are_not_there():
    assert is_plain(nn.Linear(2, 2, bias=False), nn.Linear)
    assert not is_affine(nn.Linear(2, 2, bias=False), nn.Linear)
    assert all_plain(nn.Sequential(nn.Linear(2, 2)), nn.Sequential, nn.Linear)
    assert not all_plain(nn.Sequential(Mine(2, 2)), nn.Sequential, nn.Linear)


STREAM, GUIDE = Site("stream", 16, grid_axes(2, 3)), Site("guide", 4, grid_axes(3, 3))
X, G, CUE = torch.randn(4, 6, 16), torch.randn(4, 9, 4), torch.randn(4, 3)
SCALE = {"scale": torch.rand(4, 1, 16)}
BLOCKS = {
    "channel": (ChannelGuidance(16, 3), (X, CUE), {}),
    "low rank": (LowRankChannelGuidance(16, 3, rank=2), (X, CUE), {}),
    "spatial": (SpatialGuidance(16, 3), (X, CUE), {}),
    "spatial of scaled": (SpatialGuidance(16, 3, reduction=8), (X, CUE), SCALE),
    "frequency": (FrequencyGuidance(16, 3, bands=(0, 0, 1, 1, 2, 2)), (X, CUE), {}),
    "segment": (SegmentGuidance(16, 3), (X, CUE), {}),
    "clip": (ClipGuidance(16, 3, segments=2), (X, CUE), {}),
    "bottleneck": (Bottleneck(16), (X,), {}),
    "windows": (WindowAttention(16, 2, (2, 3)), (X,), {}),
    "cosine windows": (CosineWindowAttention(16, 2, (2, 3)), (X,), {}),
    "feed-forward": (FeedForward(16, 2), (X,), {}),
    "merge": (PatchMerging(16, (2, 4), norm_first=True), (torch.randn(4, 8, 16),), {}),
    "patches": (PatchEmbedding(3, 16, (8, 8)), (torch.randn(4, 3, 8, 8),), {}),
    "adapter": (guided_adapter(STREAM, GUIDE, align=learned_alignment, latents=2), (X, G), {}),
    "resampled": (guided_adapter(STREAM, GUIDE, latents=2), (X, G), {}),
}


@pytest.mark.parametrize(("block", "given", "named"), BLOCKS.values(), ids=BLOCKS)
def test_a_layer_behind_a_wrapper_without_its_attributes_is_used(block, given, named):
    """Sizes are the block's own: none is read off a layer."""
    for parameter in block.parameters():
        if not parameter.any():
            nn.init.ones_(parameter)
    expected = torch.utils._pytree.tree_leaves(block.eval()(*given, **named))
    for name, layer in block.named_modules():
        if name and not list(layer.children()):
            twin = copy.deepcopy(block)
            parent, _, child = name.rpartition(".")
            wrapped = twin.get_submodule(name)
            twin.get_submodule(parent)._modules[child] = Around(wrapped)
            found = torch.utils._pytree.tree_leaves(twin(*given, **named))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


class Around(nn.Module):
    """Calls a layer."""

    def __init__(self, layer):
        super().__init__()
        self.inner = layer

    def forward(self, *given, **named):
        return self.inner(*given, **named)


def test_layers_without_a_bias_may_take_the_place_of_those_with_one():
    spatial, learned = SpatialGuidance(16, 3), LearnedAlignment(9, 4, 6, 16)
    spatial.readout, spatial.stream_proj = nn.Linear(8, 1, bias=False), nn.Linear(16, 8, bias=False)
    learned.mix = nn.Linear(9, 6, bias=False)
    end = NormThenGate(16)
    end.norm = nn.LayerNorm(16, elementwise_affine=False)
    spatial(X, CUE, **SCALE)
    torch.testing.assert_close(learned.pooled(G), learned(G).mean(1))
    assert not end(X).any()


def test_an_alignment_of_ones_own_may_have_a_forward_alone():
    class Doubled(nn.Module):
        """Twice another alignment."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.calls = inner, 0

        def forward(self, guide):
            self.calls += 1
            return 2 * self.inner(guide)

    adapter = guided_adapter(STREAM, GUIDE, latents=2).eval()
    twice = copy.deepcopy(adapter)
    nn.init.ones_(twice.latents.gate)
    twice.align = Doubled(adapter.align)
    assert isinstance(twice, GuidedAdapter)
    maps = twice(X, G).maps
    assert twice.align.calls == 1  # for cue and attention
    assert not torch.equal(maps["spatial"], adapter(X, G).maps["spatial"])


def test_alignments_of_ours_are_taken_as_they_are_and_formed_where_somebody_listens():
    align = ResampledAlignment((3, 3), 4, (2, 3), 16)
    assert as_alignment(align) is align
    align.project.register_forward_hook(lambda *_: None)
    assert isinstance(as_alignment(align), Formed)


@pytest.mark.parametrize("kind", [WindowAttention, CosineWindowAttention])
def test_a_position_that_is_listened_to_is_computed_every_time(kind):
    attention, heard = kind(16, 2, (2, 3)).requires_grad_(False), []
    attention(X)
    attention.position.register_forward_hook(lambda *_: heard.append(1))
    attention(X), attention(X)
    assert len(heard) == 2
