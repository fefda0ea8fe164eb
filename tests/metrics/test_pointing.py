"""The pointing game, by an oracle that draws every point of the greatest cells, and its laws."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.metrics import PointingCounts, pointing_counts, pointing_game, pointing_scores, summed
from crossmodal.metrics.pointing import covered

seeds = st.integers(0, 999)


def drawn(seed, frames=4, grid=(2, 3), picture=(6, 7)):
    """Maps of few values, so that many cells are equally great; some frames show nothing."""
    random = torch.Generator().manual_seed(seed)
    map = torch.randint(0, 3, (frames, *grid), generator=random) / 2
    mask = torch.rand(frames, *picture, generator=random) < 0.3
    mask[0] = torch.rand((), generator=random) < 0.5
    return map, mask


def slow(map, mask):
    """Every point of a raster so fine that it meets cells and pixels: the share of points that hit, frame by frame."""
    (frames, rows, columns), (_, height, width) = map.shape, mask.shape
    hits, chances = [], []
    for frame in range(frames):
        if not mask[frame].any():
            continue
        greatest, points, inside = max(map[frame].flatten().tolist()), 0, 0
        for down in range(rows * height):
            for across in range(columns * width):
                if map[frame, down // height, across // width] == greatest:
                    points += 1
                    inside += int(mask[frame, down // rows, across // columns])
        hits.append(inside / points)
        chances.append(sum(mask[frame].flatten().tolist()) / (height * width))
    return sum(hits), sum(chances), len(hits)


@settings(max_examples=15)
@given(seeds)
def test_hits_and_chance_are_those_of_every_point(seed):
    map, mask = drawn(seed)
    counts = pointing_counts(map, mask)
    hits, chance, total = slow(map, mask)
    assert counts.hits.item() == pytest.approx(hits, abs=1e-12)
    assert counts.by_chance.item() == pytest.approx(chance, abs=1e-12)
    assert counts.total.item() == total


@given(seeds)
def test_a_constant_map_gets_what_chance_gets(seed):
    _, mask = drawn(seed)
    counts = pointing_counts(torch.full((4, 2, 3), 0.5), mask)
    torch.testing.assert_close(counts.hits, counts.by_chance, rtol=0, atol=1e-12)


@given(seeds)
def test_the_mask_itself_hits_always_and_its_opposite_never(seed):
    _, mask = drawn(seed)
    mask[0, 0, 0], mask[0, 0, 1] = True, False
    kept = mask[mask.flatten(1).any(1) & ~mask.flatten(1).all(1)]
    assert pointing_game(kept.float(), kept).accuracy == 1
    assert pointing_game(1 - kept.float(), kept).accuracy == 0


@given(seeds, st.integers(1, 3))
def test_batches_add_up(seed, size):
    map, mask = drawn(seed)
    parts = zip(map.split(size), mask.split(size), strict=True)
    whole, added = pointing_counts(map, mask), summed(pointing_counts(*part) for part in parts)
    for ours, theirs in zip(added, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_a_scale_of_the_map_changes_nothing():
    map, mask = drawn(3)
    assert pointing_counts(7 * map - 3, mask) == pointing_counts(map, mask)


def test_a_cell_counts_by_the_area_that_the_mask_covers():
    mask = torch.zeros(1, 3, 3, dtype=torch.bool)
    mask[0, 0, 0] = True  # a ninth of the frame; of the first of two by two cells 4 / 9
    assert covered(mask, (2, 2))[0, 0, 0].item() == pytest.approx(4 / 9)
    scores = pointing_game(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), mask)
    assert scores.accuracy.item() == pytest.approx(4 / 9)
    assert scores.chance.item() == pytest.approx(1 / 9)


def test_a_place_without_a_value_is_never_pointed_at():
    mask = torch.tensor([[[True, False]]])
    assert pointing_game(torch.tensor([[[torch.nan, -1.0]]]), mask).accuracy == 0
    assert pointing_game(torch.tensor([[[torch.nan, -torch.inf]]]), mask).accuracy == 0


def test_what_cannot_be_scored_is_refused_in_words():
    nothing = PointingCounts(torch.zeros(()), torch.zeros(()), torch.tensor(0))
    with pytest.raises(ValueError, match="no frame shows an object: there is nothing to point at"):
        pointing_scores(nothing)
    map = torch.zeros(2, 1, 2)
    map[1] = torch.nan
    with pytest.raises(ValueError, match="the map of frame 1 has no value"):
        pointing_counts(map, torch.ones(2, 1, 2, dtype=torch.bool))
    with pytest.raises(TypeCheckError, match="mask"):
        pointing_counts(torch.zeros(2, 1, 2), torch.zeros(3, 1, 2, dtype=torch.bool))
