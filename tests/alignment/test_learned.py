import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.alignment import LearnedAlignment, learned_alignment
from crossmodal.site import Site, folded_axes, grid_axes

SIZES = st.tuples(*(st.integers(1, 4) for _ in range(5)), st.integers(0, 999))


@given(SIZES)
def test_it_is_the_released_order_a_convolution_over_tokens_then_a_linear_layer(sizes):
    """Tokens are the channels of a 1×1 convolution over a picture of one column."""
    frames, guide_tokens, guide_channels, tokens, channels, seed = sizes
    torch.manual_seed(seed)
    block = LearnedAlignment(guide_tokens, guide_channels, tokens, channels).double()
    guide = torch.randn(frames, guide_tokens, guide_channels).double()
    mixed = F.conv2d(guide[..., None], block.mix.weight[..., None, None], block.mix.bias)
    expected = F.linear(mixed.squeeze(-1), block.project.weight, block.project.bias)
    torch.testing.assert_close(block(guide), expected)


@given(SIZES, st.integers(1, 3))
def test_attention_is_the_sum_over_the_aligned_tokens(sizes, rows):
    """Row by row: weights from the scores of all tokens, and the tokens they weigh."""
    frames, guide_tokens, guide_channels, tokens, channels, seed = sizes
    torch.manual_seed(seed)
    block = LearnedAlignment(guide_tokens, guide_channels, tokens, channels).double()
    guide, latents = torch.randn(frames, guide_tokens, guide_channels).double(), torch.randn(1, rows, channels).double()
    read, aligned = block.attend(latents, guide), block(guide)
    for frame in range(frames):
        for row in range(rows):
            scores = torch.stack([(latents[0, row] * token).sum().exp() for token in aligned[frame]])
            expected = sum(score / scores.sum() * token for score, token in zip(scores, aligned[frame], strict=True))
            torch.testing.assert_close(read[frame, row], expected)


def test_the_factory_reads_both_sites():
    stream, guide = Site("stream", 6, grid_axes(2, 3)), Site("guide", 4, folded_axes(4, 2, chunks=2), prefix=1)
    block = learned_alignment(stream, guide)
    assert (block.mix.in_features, block.mix.out_features) == (9, 6)
    assert (block.project.in_features, block.project.out_features) == (4, 6)


def test_another_grid_is_refused_in_words():
    words = "LearnedAlignment: guide has 5 tokens, but the token mixer was learned for 4: keep that grid, or"
    block = LearnedAlignment(4, 3, 2, 6)
    for ask in (block, block.pooled, lambda guide: block.attend(torch.zeros(1, 1, 6), guide)):
        with pytest.raises(ValueError, match=words):
            ask(torch.zeros(2, 5, 3))


def test_widths_are_named():
    block = LearnedAlignment(4, 3, 2, 6)
    with pytest.raises(ValueError, match=r"LearnedAlignment: guide has width 7 .* built for width 3"):
        block(torch.zeros(2, 4, 7))
    with pytest.raises(ValueError, match=r"LearnedAlignment: latents has width 5 .* built for width 6"):
        block.attend(torch.zeros(1, 1, 5), torch.zeros(2, 4, 3))
