import pytest
import torch

from crossmodal.alignment import IdentityAlignment, identity_alignment
from crossmodal.site import Site, grid_axes


def test_the_guide_is_what_it_is():
    block, guide = IdentityAlignment(4), torch.randn(2, 5, 4)
    assert block(guide) is guide
    assert torch.equal(block.pooled(guide), guide.mean(1))
    read = block.attend(torch.randn(1, 3, 4) * 0, guide)
    torch.testing.assert_close(read, guide.mean(1, keepdim=True).expand(-1, 3, -1))


def test_sites_that_differ_are_refused_in_words():
    stream = Site("left", 4, grid_axes(2, 2))
    words = (
        "identity_alignment: stream 'left' has width 4 and 4 tokens, guide 'right' width 6 and 4 tokens: they must "
        "agree; use resampled_alignment"
    )
    with pytest.raises(ValueError, match=words):
        identity_alignment(stream, Site("right", 6, grid_axes(2, 2)))
    with pytest.raises(ValueError, match="width 4 and 6 tokens: they must agree"):
        identity_alignment(stream, Site("right", 4, grid_axes(2, 3)))
    assert identity_alignment(stream, stream).channels == 4


def test_widths_are_named():
    block = IdentityAlignment(4)
    for ask in (block, block.pooled, lambda guide: block.attend(torch.zeros(1, 1, guide.shape[-1]), guide)):
        with pytest.raises(ValueError, match=r"IdentityAlignment: \w+ has width 7 .* built for width 4"):
            ask(torch.zeros(2, 5, 7))
    assert "4" in repr(block)
