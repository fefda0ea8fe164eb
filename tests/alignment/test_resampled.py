import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.alignment import ResampledAlignment, resampled_alignment
from crossmodal.alignment.resampled import resize_matrix
from crossmodal.site import Site, folded_axes, grid_axes, vector_axes

GRIDS = st.tuples(st.integers(1, 5), st.integers(1, 5))
MODES = st.sampled_from(["bicubic", "bilinear"])


def built(guide_grid, grid, mode, seed, **prefixes):
    torch.manual_seed(seed)
    return ResampledAlignment(guide_grid, 3, grid, 4, mode=mode, **prefixes).double()


@given(GRIDS, GRIDS, MODES, st.integers(0, 999))
def test_it_is_the_released_order_a_linear_layer_then_interpolation(guide_grid, grid, mode, seed):
    """As AVS-S4 has it: channels first, then torch's resize of the picture."""
    block = built(guide_grid, grid, mode, seed)
    guide = torch.randn(2, guide_grid[0] * guide_grid[1], 3).double()
    picture = block.project(guide).mT.unflatten(2, guide_grid)
    expected = F.interpolate(picture, grid, mode=mode, align_corners=False).flatten(2).mT
    torch.testing.assert_close(block(guide), expected)


@given(st.integers(1, 20), st.integers(1, 20), MODES)
def test_the_resize_is_that_of_torch_and_its_rows_sum_to_one(old, new, mode):
    identity = torch.eye(old, dtype=torch.float64)[None, None]
    expected = F.interpolate(identity, (new, old), mode=mode, align_corners=False)[0, 0]
    torch.testing.assert_close(resize_matrix(old, new, mode), expected)
    torch.testing.assert_close(expected.sum(1), torch.ones(new).double())


@given(GRIDS, GRIDS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 999))
def test_leading_tokens_are_shown_the_mean_and_read_by_nobody(guide_grid, grid, guide_prefix, prefix, seed):
    block = built(guide_grid, grid, "bicubic", seed, guide_prefix=guide_prefix, prefix=prefix)
    guide = torch.randn(2, guide_prefix + guide_grid[0] * guide_grid[1], 3).double()
    aligned = block(guide)
    placed = aligned[:, prefix:]
    torch.testing.assert_close(aligned[:, :prefix], placed.mean(1, keepdim=True).expand(-1, prefix, -1))
    other = guide.clone()
    other[:, :guide_prefix] = torch.randn_like(other[:, :guide_prefix])
    torch.testing.assert_close(block(other), aligned)


def test_the_same_grid_is_left_alone():
    block = built((3, 4), (3, 4), "bicubic", 0)
    guide = torch.randn(2, 12, 3).double()
    torch.testing.assert_close(block(guide), block.project(guide))


def test_the_factory_reads_grids_in_memory_and_prefixes():
    stream = Site("stream", 6, folded_axes(8, 3, chunks=4), prefix=2)
    block = resampled_alignment(stream, Site("guide", 5, grid_axes(2, 3), prefix=1), mode="bilinear")
    assert (block.grid, block.guide_grid) == ((8, 3), (2, 3))
    assert (block.prefix, block.guide_prefix, block.mode) == (2, 1, "bilinear")
    vector = resampled_alignment(stream, Site("vector", 5, vector_axes()))
    guide = torch.randn(2, 1, 5)
    torch.testing.assert_close(vector(guide), vector.project(guide).expand(-1, 26, -1))


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="ResampledAlignment: mode='nearest' must be 'bicubic' or 'bilinear'"):
        built((2, 2), (2, 2), "nearest", 0)


def test_another_grid_is_refused_in_words():
    block = built((2, 3), (4, 4), "bicubic", 0, guide_prefix=1)
    words = r"guide has 6 tokens, but guide_grid=\(2, 3\) and guide_prefix=1 make 7: build it from the site"
    for ask in (block, block.pooled, lambda guide: block.attend(torch.zeros(1, 1, 4).double(), guide)):
        with pytest.raises(ValueError, match=words):
            ask(torch.zeros(2, 6, 3).double())


def test_widths_are_named():
    block = built((2, 3), (4, 4), "bicubic", 0)
    with pytest.raises(ValueError, match=r"ResampledAlignment: guide has width 7 .* built for width 3"):
        block(torch.zeros(2, 6, 7).double())
    with pytest.raises(ValueError, match=r"ResampledAlignment: latents has width 5 .* built for width 4"):
        block.attend(torch.zeros(1, 1, 5).double(), torch.zeros(2, 6, 3).double())


def test_it_shows_its_grids():
    assert "(2, 3) → (4, 4), mode=bicubic" in repr(built((2, 3), (4, 4), "bicubic", 0))
