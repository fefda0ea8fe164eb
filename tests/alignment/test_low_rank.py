import pytest
import torch

from crossmodal.alignment import LowRankLinear, low_rank_pooled_alignment
from crossmodal.site import Site, grid_axes


def test_its_matrix_has_that_rank_and_no_more():
    torch.manual_seed(0)
    layer = LowRankLinear(9, 7, rank=3).double()
    rows = torch.randn(2, 20, 9, dtype=torch.float64)
    flat = (layer(rows) - layer.up.bias).flatten(0, 1)
    assert torch.linalg.matrix_rank(flat) == 3
    torch.testing.assert_close(flat, rows.flatten(0, 1) @ (layer.up.weight @ layer.down.weight).mT)


def test_a_rank_above_both_widths_adds_nothing():
    assert LowRankLinear(9, 7, rank=64).down.out_features == 7


def test_no_rank_and_another_width_are_refused():
    with pytest.raises(ValueError, match=r"^LowRankLinear: rank=0 must be at least 1 between 9 and 7\.$"):
        LowRankLinear(9, 7, rank=0)
    with pytest.raises(ValueError, match=r"LowRankLinear: input has width 8 .* built for width 9"):
        LowRankLinear(9, 7)(torch.zeros(2, 8))


def test_the_pooled_alignment_through_it_is_of_the_stream_and_small():
    stream, guide = Site("stream", 96, grid_axes(2, 3)), Site("guide", 128, grid_axes(4, 4))
    block = low_rank_pooled_alignment(stream, guide, rank=8)
    assert block(torch.randn(2, 16, 128)).shape == (2, 6, 96)
    assert sum(parameter.numel() for parameter in block.parameters()) == 8 * (128 + 96) + 96
