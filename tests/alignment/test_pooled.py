import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.alignment import PooledAlignment, pooled_alignment
from crossmodal.site import Site, grid_axes, vector_axes


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_every_token_is_shown_the_projected_mean(frames, guide_tokens, tokens, seed):
    torch.manual_seed(seed)
    block = PooledAlignment(3, tokens, 4).double()
    guide, latents = torch.randn(frames, guide_tokens, 3).double(), torch.randn(1, 2, 4).double()
    aligned, read = block(guide), block.attend(latents, guide)
    for frame in range(frames):
        expected = block.project(sum(guide[frame]) / guide_tokens)
        for shown in (*aligned[frame], *read[frame], block.pooled(guide)[frame]):
            torch.testing.assert_close(shown, expected)


def test_a_vector_is_a_guide():
    stream, guide = Site("stream", 6, grid_axes(2, 3), prefix=1), Site("guide", 4, vector_axes())
    block = pooled_alignment(stream, guide)
    assert block(torch.randn(2, 1, 4)).shape == (2, 7, 6)
    assert "tokens=7" in repr(block)


def test_widths_are_named():
    block = PooledAlignment(3, 2, 6)
    with pytest.raises(ValueError, match=r"PooledAlignment: guide has width 7 .* built for width 3"):
        block(torch.zeros(2, 4, 7))
    with pytest.raises(ValueError, match=r"PooledAlignment: latents has width 5 .* built for width 6"):
        block.attend(torch.zeros(1, 1, 5), torch.zeros(2, 4, 3))
