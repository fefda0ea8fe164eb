import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.attention import ContinuousPosition, PositionTable

WINDOWS = st.tuples(st.integers(1, 5), st.integers(1, 5))


def cells(window):
    return [(row, column) for row in range(window[0]) for column in range(window[1])]


@given(WINDOWS, st.integers(1, 3))
def test_the_table_holds_one_number_a_head_and_offset(window, heads):
    block = PositionTable(window, heads)
    nn.init.normal_(block.table)
    bias = block()
    for query, (row, column) in enumerate(cells(window)):
        for key, (other_row, other_column) in enumerate(cells(window)):
            down, right = row - other_row + window[0] - 1, column - other_column + window[1] - 1
            assert torch.equal(bias[:, query, key], block.table[down * (2 * window[1] - 1) + right])


@given(WINDOWS, st.integers(1, 3), st.integers(0, 99))
def test_the_continuous_bias_is_the_network_at_log_spaced_offsets(window, heads, seed):
    torch.manual_seed(seed)
    block = ContinuousPosition(window, heads, hidden=7).double()
    bias = block()

    def spaced(offset, size):
        scaled = 8 * offset / max(size - 1, 1)
        return math.copysign(math.log2(abs(scaled) + 1) / math.log2(8), scaled)

    for query, (row, column) in enumerate(cells(window)):
        for key, (other_row, other_column) in enumerate(cells(window)):
            offset = spaced(row - other_row, window[0]), spaced(column - other_column, window[1])
            expected = 16 * block.mlp(torch.tensor(offset, dtype=torch.float64)).sigmoid()
            torch.testing.assert_close(bias[:, query, key], expected, atol=1e-5, rtol=0)
    assert bias.min() > 0
    assert bias.max() < 16


@pytest.mark.parametrize("build", [PositionTable, ContinuousPosition])
def test_built_on_meta_and_loaded_it_is_the_one_built_here(build):
    here = build((3, 4), 2)
    with torch.device("meta"):
        emptied, assigned = build((3, 4), 2), build((3, 4), 2)
    emptied = emptied.to_empty(device="cpu")
    emptied.load_state_dict(here.state_dict())
    assigned.load_state_dict(here.state_dict(), assign=True)
    assert torch.equal(emptied(), here())
    assert torch.equal(assigned(), here())
