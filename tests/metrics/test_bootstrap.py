"""Bootstrap intervals: as plain loops draw them, right as often as they say, and the same again."""

import random
from statistics import fmean, quantiles

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.metrics import crossed_interval, nested_interval

INTERVALS = [nested_interval, crossed_interval]


def trials(seed, *, seeds=6, clips=30, effect=0.1, between=0.1, shared=0.0, within=0.3):
    """Differences of clips: an effect, and noise of seeds, of clips that all seeds share, and of both."""
    generator = torch.Generator().manual_seed(seed)
    of_seed, of_clip = (
        scale * torch.randn(number, generator=generator) for scale, number in ((between, seeds), (shared, clips))
    )
    noise = within * torch.randn(seeds, clips, generator=generator)
    return list(effect + of_seed[:, None] + of_clip + noise), [torch.ones(clips)] * seeds


def in_loops(differences, sizes, *, crossed, draws, seed=0):
    """The same interval, drawn one clip at a time."""
    chance, means = random.Random(seed), []
    for _ in range(draws):
        shared, of_seeds = [chance.randrange(len(sizes[0])) for _ in sizes[0]], []
        for _ in sizes:
            drawn = chance.randrange(len(sizes))
            clips = shared if crossed else [chance.randrange(len(sizes[drawn])) for _ in sizes[drawn]]
            of_seeds.append(
                sum(differences[drawn][c].item() for c in clips) / sum(sizes[drawn][c].item() for c in clips)
            )
        means.append(fmean(of_seeds))
    ends = quantiles(means, n=40)
    return ends[0], ends[-1]


@pytest.mark.parametrize("interval", INTERVALS)
def test_it_is_what_plain_loops_draw(interval):
    differences = [torch.tensor([3.0, -1, 2, 0]), torch.tensor([1.0, 0, -2, 5]), torch.tensor([4.0, 4, 1, -3])]
    sizes = [torch.tensor([10.0, 4, 10, 10]), torch.tensor([10.0, 10, 10, 10]), torch.tensor([7.0, 10, 10, 3])]
    found = interval(differences, sizes, draws=40_000)
    assert found.value == pytest.approx(fmean([4 / 34, 4 / 40, 6 / 30]))
    assert (found.low, found.high) == pytest.approx(
        in_loops(differences, sizes, crossed=interval is crossed_interval, draws=6000), abs=0.02
    )


@pytest.mark.parametrize(("interval", "shared"), [(nested_interval, 0.0), (crossed_interval, 0.5)])
def test_it_holds_the_truth_about_as_often_as_it_says(interval, shared):
    held, of_clips = 0, 0
    for seed in range(200):
        differences, sizes = trials(seed, seeds=8, shared=shared)
        found = interval(differences, sizes, draws=400, seed=seed)
        held += found.low <= 0.1 <= found.high
        pooled = nested_interval([torch.cat(differences)], [torch.cat(sizes)], draws=400, seed=seed)
        of_clips += pooled.low <= 0.1 <= pooled.high
    assert 0.86 <= held / 200 <= 0.98  # nominal 0.95; percentiles of eight seeds are a little too narrow
    assert of_clips / 200 < 0.8  # as if all clips of all seeds were one sample


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "share"), [(1, 0.70), (2, 0.82), (3, 0.89), (5, 0.93), (10, 0.95)])
def test_few_seeds_make_it_too_narrow_as_the_page_on_ablations_says(seeds, share):
    held = []
    for seed in range(400):
        differences, sizes = trials(seed, seeds=seeds, clips=200, between=0.03, within=0.25)
        found = nested_interval(differences, sizes, draws=1000, seed=seed)
        held.append(found.low <= 0.1 <= found.high)
    assert sum(held) / 400 == pytest.approx(share, abs=0.02)


def test_clips_that_seeds_share_are_no_chance_of_each():
    differences, sizes = trials(0, between=0.0, shared=0.5, within=0.0)
    crossed, nested = crossed_interval(differences, sizes), nested_interval(differences, sizes)
    assert crossed.high - crossed.low > 1.5 * (nested.high - nested.low)


@given(seed=st.integers(0, 99), clips=st.integers(1, 6), interval=st.sampled_from(INTERVALS))
def test_what_never_differs_has_no_width(seed, clips, interval):
    sizes = [torch.randint(1, 9, (clips,), generator=torch.Generator().manual_seed(seed + s)) for s in range(3)]
    assert interval([size / 2 for size in sizes], sizes, draws=50) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("interval", INTERVALS)
def test_the_same_seed_draws_the_same(interval):
    differences, sizes = trials(0)
    assert interval(differences, sizes, draws=100, seed=3) == interval(differences, sizes, draws=100, seed=3)
    assert interval(differences, sizes, draws=100, seed=3) != interval(differences, sizes, draws=100, seed=4)


def test_a_higher_level_is_wider_and_many_clips_are_drawn_in_parts(monkeypatch):
    differences, sizes = trials(0)
    for interval in INTERVALS:
        at = [interval(differences, sizes, level=level, draws=500) for level in (0.5, 0.95)]
        assert at[1].low < at[0].low < at[0].value < at[0].high < at[1].high
        monkeypatch.setattr("crossmodal.metrics.bootstrap.LARGEST", 700)
        assert interval(differences, sizes, draws=2000) == pytest.approx(
            interval(differences, sizes, draws=2000, seed=1), abs=0.02
        )


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("differences", "sizes"),
    [
        ([], []),
        ([torch.ones(0)], [torch.ones(0)]),
        ([torch.ones(2)], [torch.ones(3)]),
        ([torch.ones(2, 2)], [torch.ones(2, 2)]),
    ],
)
def test_what_does_not_fit_is_refused(interval, differences, sizes):
    with pytest.raises(ValueError, match=rf"{interval.__name__}: differences has the shapes .* with at least one clip"):
        interval(differences, sizes)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_number_is_refused(interval, wrong, which):
    given = [torch.ones(3), torch.ones(3)]
    given[which][1] = wrong
    with pytest.raises(ValueError, match=f"{interval.__name__}: {('differences', 'sizes')[which]} holds NaN or inf"):
        interval([given[0]], [given[1]])


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("sizes", [torch.zeros(2), torch.tensor([1.0, -1.0])])
def test_units_are_counts(interval, sizes):
    with pytest.raises(ValueError, match=f"{interval.__name__}: sizes must not be negative, nor all zero"):
        interval([torch.ones(2)], [sizes])


@pytest.mark.parametrize("interval", INTERVALS)
@given(sizes=st.lists(st.integers(0, 2), min_size=1, max_size=4).filter(any), seed=st.integers(0, 9))
def test_clips_without_a_unit_leave_both_ends_numbers(interval, sizes, seed):
    size = torch.tensor(sizes, dtype=torch.float64)
    found = interval([size * torch.rand(len(size), generator=torch.Generator().manual_seed(seed))], [size], draws=200)
    assert 0 <= found.low <= found.high <= 1


def test_other_clips_cannot_be_crossed_and_a_level_lies_between():
    with pytest.raises(ValueError, match=r"the seeds have \[2, 3\] clips, and must have the same: use nested_interval"):
        crossed_interval([torch.ones(2), torch.ones(3)], [torch.ones(2), torch.ones(3)])
    with pytest.raises(ValueError, match="nested_interval: level=95 must lie between 0 and 1"):
        nested_interval([torch.ones(2)], [torch.ones(2)], level=95)
