"""Rows and columns of a third-party model are claimed where the tokens lie so, and nowhere else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from third_party import PICTURE, convnext, timm_swin
from torch import nn
from torchvision.models import resnet

from crossmodal.injection import sites

UNKNOWN = {"token"}


class Reordered(nn.Module):
    """Patches of 4 × 4 as a grid whose cells are in an order of their own, and then a layer on them."""

    def __init__(self, order, rows, columns):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.order = nn.Conv2d(3, 5, 4, 4), order
        self.shuffle, self.mix, self.sizes = nn.Identity(), nn.Linear(5, 5), (rows, columns)

    def forward(self, picture):
        stream = self.patches(picture).flatten(2).mT[:, self.order]
        return self.mix(self.shuffle(stream.unflatten(1, self.sizes)))


@given(st.integers(4, 7), st.integers(4, 7), st.integers(0, 9))
def test_a_grid_in_another_order_has_no_places(rows, columns, seed):
    picture = torch.randn(2, 3, 4 * rows, 4 * columns, generator=torch.Generator().manual_seed(seed))
    order = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))
    for given_order, known in ((torch.arange(rows * columns), True), (order, False)):
        found = sites(Reordered(given_order, rows, columns), picture)
        assert set(found["patches"].writes.axes) == {"row", "column"}
        assert (set(found["mix"].writes.axes) == {"row", "column"}) == known
        assert known or set(found["mix"].reads.axes) == set(found["mix"].writes.axes) == UNKNOWN
        assert found["mix"].writes.stream(torch.zeros(2, rows, columns, 5)).shape == (2, rows * columns, 5)


def test_blocks_by_tokens_and_heads_by_tokens_are_no_rows_by_columns():
    class Blocks(nn.Module):
        """Tokens of four quarters of the picture, quarter by quarter, as NesT keeps them; and heads, as MViT does."""

        def __init__(self):
            super().__init__()
            self.patches, self.mix, self.heads = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 6), nn.Identity()

        def forward(self, picture):
            grid = self.patches(picture).unflatten(2, (2, -1)).unflatten(4, (2, -1))
            quarters = grid.permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2, 3)
            return self.heads(self.mix(quarters).flatten(1, 2).unflatten(2, (2, 3)).transpose(1, 2))

    found = sites(Blocks(), torch.randn(2, 3, 32, 48))
    assert set(found["mix"].writes.axes) == UNKNOWN
    assert found["heads"].writes is None or set(found["heads"].writes.axes) == UNKNOWN


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (convnext, ("features.0", "features.1.0", "features.1.0.block.3", "features.2")),
        (timm_swin, ("layers.0.blocks.0",)),
        (lambda: resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1]), ("conv1", "layer1.0", "layer2.0", "layer3.0")),
    ],
)
def test_real_models_keep_their_rows_and_columns(build, names):
    found = sites(build(), PICTURE)
    assert [set(found[name].writes.axes) for name in names] == [{"row", "column"}] * len(names)


def test_windows_in_the_frames_are_no_place_in_the_picture():
    class Windowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.mix = nn.Conv2d(3, 5, 4, 4), nn.Conv2d(5, 5, 1)

        def forward(self, picture):
            windows = self.patches(picture).unflatten(2, (2, -1)).transpose(1, 2).flatten(0, 1)
            return self.mix(windows)

    found = sites(Windowed(), torch.randn(2, 3, 32, 16))
    assert set(found["patches"].writes.axes) == {"row", "column"}
    assert set(found["mix"].writes.axes) == UNKNOWN


def test_a_model_that_takes_its_own_number_of_frames_is_probed_all_the_same():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 5, 4, 4)

        def forward(self, picture):
            if len(picture) != 2:
                raise ValueError("two frames")
            return self.patches(picture)

    assert set(sites(Fixed(), torch.randn(2, 3, 16, 16))["patches"].writes.axes) == {"row", "column"}
    assert set(sites(Fixed().to("meta"), torch.randn(2, 3, 16, 16, device="meta"))["patches"].writes.axes) == {
        "row",
        "column",
    }
