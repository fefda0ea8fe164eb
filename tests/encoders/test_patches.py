import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.swin_transformer import PatchMerging as SwinPatchMerging
from torchvision.models.swin_transformer import PatchMergingV2

from crossmodal.encoders.patches import PatchEmbedding, PatchMerging


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_a_token_is_its_patch_projected_and_normalised(rows, columns, patch, seed):
    torch.manual_seed(seed)
    block = PatchEmbedding(2, 5, (rows * patch, columns * patch), patch=patch).double()
    picture = torch.randn(2, 2, rows * patch, columns * patch, dtype=torch.float64)
    stream = block(picture)
    assert block.grid == (rows, columns)
    for row in range(rows):
        for column in range(columns):
            cut = picture[:, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            token = torch.einsum("fchw,dchw->fd", cut, block.proj.weight) + block.proj.bias
            torch.testing.assert_close(stream[:, row * columns + column], block.norm(token))


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_merged_token_sees_its_four_in_the_published_order(norm_first):
    """(0,0), (1,0), (0,1), (1,1) of (row, column) parity; v1 normalises before the reduction, v2 after it."""
    block, stream = PatchMerging(3, (4, 6), norm_first=norm_first).double(), torch.randn(2, 24, 3, dtype=torch.float64)
    merged = block(stream)
    assert merged.shape == (2, 6, 6)
    for row in range(2):
        for column in range(3):
            four = [(2 * row + down) * 6 + 2 * column + right for right in (0, 1) for down in (0, 1)]
            joined, norm, reduction = stream[:, four].flatten(1), block.merging.norm, block.merging.reduction
            expected = reduction(norm(joined)) if norm_first else norm(reduction(joined))
            torch.testing.assert_close(merged[:, row * 3 + column], expected)


@pytest.mark.parametrize(("norm_first", "kind"), [(True, SwinPatchMerging), (False, PatchMergingV2)])
def test_a_merge_is_torchvisions_with_its_weights(norm_first, kind):
    block, theirs = PatchMerging(6, (4, 8), norm_first=norm_first), kind(6)
    block.merging.load_state_dict(theirs.state_dict())
    streams = [torch.randn(2, 32, 6, generator=torch.manual_seed(0)).requires_grad_() for _ in range(2)]
    found, expected = block(streams[0]), theirs(streams[1].view(2, 4, 8, 6)).flatten(1, 2)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward(), expected.square().sum().backward()
    torch.testing.assert_close(streams[0].grad, streams[1].grad)


def test_a_picture_of_another_size_is_refused():
    block = PatchEmbedding(3, 8, (16, 16))
    with pytest.raises(ValueError, match=r"PatchEmbedding: picture is \(3, 16, 20\).* built for \(3, 16, 16\)"):
        block(torch.zeros(1, 3, 16, 20))
    with pytest.raises(ValueError, match=r"PatchEmbedding: picture is \(1, 16, 16\)"):
        block(torch.zeros(1, 1, 16, 16))


def test_a_patch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"PatchEmbedding: patch=4 must divide both sides of size=\(18, 16\)"):
        PatchEmbedding(3, 8, (18, 16))


def test_a_stream_of_another_grid_or_width_is_refused():
    block = PatchMerging(3, (4, 4), norm_first=True)
    with pytest.raises(ValueError, match=r"PatchMerging: stream has 9 tokens.* 4 × 4 = 16"):
        block(torch.zeros(1, 9, 3))
    with pytest.raises(ValueError, match=r"PatchMerging: stream has width 5.* built for width 3"):
        block(torch.zeros(1, 16, 5))
    assert "width=3, grid=(4, 4)" in repr(block)
    with pytest.raises(ValueError, match=r"PatchMerging: both sides of grid=\(4, 3\) must be even"):
        PatchMerging(3, (4, 3), norm_first=True)
