"""A value of a map lands where its token lies, by a loop over the site's coordinates."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.drawing import read_sites, unfold_map
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.site import Site, folded_axes, grid_axes, vector_axes


@st.composite
def sites(draw):
    """Grids of images, with and without prefix, and folded spectrograms."""
    rows, columns, chunks = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    if draw(st.booleans()):
        return Site("picture", 3, grid_axes(rows, columns), prefix=draw(st.integers(0, 2)))
    return Site("sound", 3, folded_axes(rows * chunks, columns, chunks=chunks))


@settings(max_examples=25)
@given(sites(), st.integers(0, 99))
def test_every_token_lands_on_its_coordinates(site, seed):
    values = torch.rand(2, site.tokens, 1, generator=torch.Generator().manual_seed(seed))
    grid = unfold_map(values, site)
    assert grid.shape == (2, *site.extent.values())
    first, second = site.axes.values()
    for frame in range(2):
        for token in range(len(first)):
            assert grid[frame, first[token], second[token]] == values[frame, site.prefix + token, 0]


def test_a_fold_is_undone():
    """Rows of the folded grid: bands 0, 1 of the first chunk, bands 0, 1 of the second; six columns of time."""
    values = torch.zeros(1, 24, 1)
    values[0, 2 * 6 + 4] = 1  # the third row is band 0 of the second chunk: its fifth column is time 6 + 4
    grid = unfold_map(values, Site("sound", 3, folded_axes(4, 6, chunks=2)))
    assert (grid == 1).nonzero().tolist() == [[0, 0, 10]]


def test_a_place_without_a_token_is_nan():
    site = Site("holes", 3, {"row": (0, 1), "column": (0, 1)})
    grid = unfold_map(torch.ones(1, 2, 1), site)[0]
    assert [math.isnan(value) for value in grid.flatten()] == [False, True, True, False]


@pytest.mark.parametrize("shape", [(2, 5, 1), (2, 1, 3), (2, 4, 3), (2, 4)])
def test_a_map_that_does_not_fit_is_named(shape):
    with pytest.raises(ValueError, match=r"values has shape .* but a map at site 'here' is \(frame, 4, 1\)"):
        unfold_map(torch.zeros(shape), Site("here", 3, grid_axes(2, 2)))


def test_a_site_that_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match="site 'word' has the axes token, but two are drawn"):
        unfold_map(torch.zeros(1, 1, 1), Site("word", 3, vector_axes()))
    twice = dataclasses.replace(Site("here", 3, grid_axes(2, 2)), axes={"row": (0, 0), "column": (1, 1)})
    with pytest.raises(ValueError, match="the 2 tokens of site 'here' lie on 1 places only"):
        unfold_map(torch.zeros(1, 2, 1), twice)


def test_the_sites_of_couplers_are_those_of_their_maps():
    model = dg_sct().eval()
    frames, wave = torch.zeros(1, 1, 3, 64, 64), torch.zeros(1, 1, 16_000)
    maps, sites = model.run(frames, wave).maps, read_sites(model.coupled)
    assert sites.keys() == maps.keys()
    for coupler, by_edge in maps.items():
        for (_, stream), named in by_edge.items():
            assert unfold_map(named["spatial"], sites[coupler][stream]).shape[0] == 1
            assert named["channel"].shape[2] == sites[coupler][stream].width
