import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.attention.tiling import MASKED, Windows, shift_mask

CPU = torch.device("cpu")


@st.composite
def tilings(draw):
    """Windows of any side that tile a small grid, shifted or not; a window may be larger than the grid."""
    window = draw(st.integers(1, 4))
    grid = tuple(draw(st.integers(1, window)) if draw(st.booleans()) else 0 for _ in range(2))
    grid = tuple(size or window * draw(st.integers(1, 3)) for size in grid)
    return Windows("Block", grid, window, draw(st.integers(0, window - 1)))


def places(windows):
    """For every token, by the words of the paper: its window, its cell there, and its torn-off region."""
    (rows, columns), (high, wide), (down, right) = windows.grid, windows.window, windows.shift
    found = []
    for row in range(rows):
        for column in range(columns):
            shifted = ((row - down) % rows, (column - right) % columns)
            window = shifted[0] // high * (columns // wide) + shifted[1] // wide
            cell = shifted[0] % high * wide + shifted[1] % wide
            # Without the wrap the token would lie `down` rows higher, outside the picture.
            region = (row < down, column < right)
            found.append((window, cell, region))
    return found


@given(tilings())
def test_every_token_goes_to_its_window_and_comes_back(windows):
    rows, columns = windows.grid
    stream = torch.arange(2.0 * rows * columns * 3).view(2, -1, 3)
    cells = windows.split(stream)
    by_window = cells.view(2, -1, windows.window[0] * windows.window[1], 3)
    if windows.windows_as_heads > 1:
        by_window = cells.transpose(1, 2)
    for token, (window, cell, _) in enumerate(places(windows)):
        assert torch.equal(by_window[:, window, cell], stream[:, token])
    assert torch.equal(windows.join(cells), stream)


@given(tilings())
def test_the_mask_parts_strangers_and_nobody_else(windows):
    cells = windows.window[0] * windows.window[1]
    mask = shift_mask(windows.grid, windows.window, windows.shift, device=CPU).expand(windows.count, 1, cells, cells)
    for query_window, query, query_region in places(windows):
        for key_window, key, key_region in places(windows):
            if query_window == key_window:
                strangers = query_region != key_region
                assert mask[query_window, 0, query, key] == (MASKED if strangers else 0)


@given(tilings(), st.integers(1, 3))
def test_the_bias_of_a_head_is_that_of_each_rider_plus_its_mask(windows, heads):
    cells = windows.window[0] * windows.window[1]
    position = torch.randn(heads, cells, cells)
    bias = windows.bias(position)
    assert bias.shape == (1, windows.windows_as_heads * heads, cells, cells)
    assert windows.windows_as_heads == (windows.count if any(windows.shift) else 1)
    mask = windows.mask.on(CPU)
    for window in range(windows.windows_as_heads):
        for head in range(heads):
            assert torch.equal(bias[0, window * heads + head], position[head] + mask[window, 0])


@pytest.mark.parametrize(
    ("grid", "window", "shift"),
    [((48, 48), (12, 12), (6, 6)), ((12, 12), (12, 12), (0, 0)), ((6, 6), (6, 6), (0, 0)), ((6, 24), (6, 12), (0, 6))],
)
def test_window_and_shift_are_clipped_to_the_map(grid, window, shift):
    windows = Windows("Block", grid, 12, 6)
    assert (windows.window, windows.shift) == (window, shift)


def test_a_window_that_does_not_tile_is_refused_with_those_that_do():
    with pytest.raises(
        ValueError, match=r"Block: window=12 must tile rows=56 of the grid; possible are .* 7, 8, 14, 28"
    ):
        Windows("Block", (56, 56), 12, 0)
    with pytest.raises(ValueError, match="Block: window=4 must tile columns=6"):
        Windows("Block", (4, 6), 4, 0)


def test_a_shift_beyond_the_window_is_refused():
    with pytest.raises(ValueError, match=r"Block: window=0 must be at least 1"):
        Windows("Block", (8, 8), 0, 0)
    with pytest.raises(ValueError, match=r"Block: shift=4 must lie in 0…3 for window=4"):
        Windows("Block", (8, 8), 4, 4)


def test_a_stream_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"Block: stream has 60 tokens.* grid of 8 × 8 = 64"):
        Windows("Block", (8, 8), 4, 0).split(torch.zeros(1, 60, 2))


def test_blocks_of_one_stage_share_their_mask():
    first, second, other = (Windows("Block", (8, 8), 4, shift) for shift in (2, 2, 1))
    assert first.mask.on(CPU) is second.mask.on(CPU)
    assert first.mask.on(CPU) is not other.mask.on(CPU)


@given(tilings())
def test_the_gradient_goes_back_to_the_token_it_came_from(windows):
    tokens = windows.grid[0] * windows.grid[1]
    stream, weights = torch.randn(2, tokens, 3, requires_grad=True), torch.randn(2, tokens, 3)
    (windows.split(stream) * windows.split(weights)).sum().backward()
    assert torch.equal(stream.grad, weights)
    cells = windows.split(torch.randn(2, tokens, 3)).requires_grad_()
    (windows.join(cells) * weights).sum().backward()
    assert torch.equal(cells.grad, windows.split(weights))
