"""Sites: what each token means, and how the tokens lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.site import Site, folded_axes, grid_axes, vector_axes

SIDES = st.integers(1, 5)


@given(SIDES, SIDES, st.integers(0, 2))
def test_an_image_lies_row_by_row(rows, columns, prefix):
    site = Site("image", 4, grid_axes(rows, columns), prefix=prefix)
    at = 0
    for row in range(rows):
        for column in range(columns):
            assert (site.axes["row"][at], site.axes["column"][at]) == (row, column)
            at += 1
    assert site.tokens == prefix + at
    assert site.extent == {"row": rows, "column": columns}
    assert site.grid == (rows, columns)


@given(st.integers(2, 4), SIDES, st.integers(1, 4), st.integers(0, 2))
def test_a_folded_spectrogram_has_more_rows_than_bands(bands, columns, chunks, prefix):
    """Unfolding by the axes gives back every position of the spectrogram once."""
    site = Site("audio", 4, folded_axes(bands * chunks, columns, chunks=chunks), prefix=prefix)
    assert site.grid == (bands * chunks, columns)
    assert site.extent == {"frequency": bands, "time": chunks * columns}
    places = list(zip(site.axes["frequency"], site.axes["time"], strict=True))
    assert sorted(places) == [(band, time) for band in range(bands) for time in range(chunks * columns)]
    for row in range(bands * chunks):
        for column in range(columns):
            chunk, band = divmod(row, bands)
            assert places[row * columns + column] == (band, chunk * columns + column)


@given(st.integers(2, 6))
def test_a_sequence_is_one_column(length):
    assert Site("sequence", 4, {"time": tuple(range(length))}).grid == (length, 1)


def test_a_vector_is_one_token():
    site = Site("vector", 4, vector_axes())
    assert (site.tokens, site.grid, site.extent) == (1, (1, 1), {"token": 1})


def test_axes_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"Site 'odd': every axis needs one .*got \{'row': 2, 'column': 1\}"):
        Site("odd", 4, {"row": (0, 1), "column": (0,)})
    with pytest.raises(ValueError, match=r"Site 'none': every axis needs one .*, at least one; got \{\}"):
        Site("none", 4, {})


def test_tokens_that_fill_no_rows_have_no_grid():
    ragged = Site("ragged", 4, {"row": (0, 0, 1), "column": (0, 1, 0)})
    with pytest.raises(ValueError, match="Site 'ragged': 3 tokens do not fill rows of 2; it has no grid"):
        _ = ragged.grid


def test_chunks_must_divide_the_rows():
    with pytest.raises(ValueError, match="folded_axes: chunks=4 must divide rows=6"):
        folded_axes(6, 2, chunks=4)
