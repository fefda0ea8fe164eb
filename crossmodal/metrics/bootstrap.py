"""Intervals of a paired difference between two trainings, by the bootstrap over seeds and clips.

Every seed has two tensors over its clips: the `difference` of what both trainings got right, summed over the units of
a clip, and the `size`, its number of units. The value is the mean over seeds of Σ difference / Σ size.

Source: Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice* (rliable), NeurIPS 2021,
for percentile intervals of few runs; clips are resampled within the seeds besides.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

LARGEST = 4_000_000
"""Number of clips that are drawn at a time: a bound on memory."""


class Interval(NamedTuple):
    """Holds a value and the ends of its interval."""

    value: float
    low: float
    high: float


def nested_interval(
    differences: Sequence[Tensor], sizes: Sequence[Tensor], *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Computes the interval where every seed was tested on clips of its own: draws seeds, then clips of each seed.

    With one seed it is an interval over clips alone. With few it is too narrow, as every bootstrap of few things.

    Args:
        differences: A tensor `(clip,)` for every seed: units that the first training got right and the second did not.
        sizes: A tensor `(clip,)` for every seed: units of each clip.
        level: Share of the draws between both ends.
        draws: Number of draws.
        seed: Seed of the draws.

    Raises:
        ValueError: If a seed has no clip, or differences and sizes do not fit or are no numbers.
    """
    pairs = _checked("nested_interval", differences, sizes, level)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(pairs), (draws, len(pairs)), generator=generator)
    means = torch.empty(drawn.shape, dtype=torch.float64)
    for index, (difference, size) in enumerate(pairs):
        where = drawn == index
        means[where] = _resampled(difference, size, int(where.sum()), generator)
    return _between(pairs, means.mean(1), level)


def crossed_interval(
    differences: Sequence[Tensor], sizes: Sequence[Tensor], *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Computes the interval where all seeds were tested on the same clips: draws seeds, and clips that they share.

    A clip that is hard is hard for every seed: drawing it anew for each of them would take that for chance.

    Args:
        differences: A tensor `(clip,)` for every seed, as of `nested_interval`; the same clips in the same order.
        sizes: A tensor `(clip,)` for every seed: units of each clip.
        level: Share of the draws between both ends.
        draws: Number of draws.
        seed: Seed of the draws.

    Raises:
        ValueError: If a seed has no clip, differences and sizes do not fit or are no numbers, or the seeds
            have other clips.
    """
    pairs = _checked("crossed_interval", differences, sizes, level)
    if len({len(difference) for difference, _ in pairs}) > 1:
        found = [len(difference) for difference, _ in pairs]
        raise ValueError(
            f"crossed_interval: the seeds have {found} clips, and must have the same: use nested_interval."
        )
    generator = torch.Generator().manual_seed(seed)
    difference, size = (torch.stack(tensors) for tensors in zip(*pairs, strict=True))
    values = []
    # Drawing n clips is counting them: a matrix product takes the place of an index a clip.
    for some in torch.arange(draws).split(max(LARGEST // difference.shape[1], 1)):
        seeds, clips = (_counts(len(some), of, generator) for of in difference.shape)
        values.append((seeds * (clips @ difference.T) / (clips @ size.T)).sum(1) / len(pairs))
    return _between(pairs, torch.cat(values), level)


def _checked(
    function: str, differences: Sequence[Tensor], sizes: Sequence[Tensor], level: float
) -> list[tuple[Tensor, Tensor]]:
    shapes = [tuple(tensor.shape) for tensor in differences], [tuple(tensor.shape) for tensor in sizes]
    if shapes[0] != shapes[1] or not shapes[0] or any(len(shape) != 1 or not shape[0] for shape in shapes[0]):
        raise ValueError(
            f"{function}: differences has the shapes {shapes[0]} and sizes {shapes[1]}: give both a tensor (clip,) for "
            f"every seed, with at least one clip."
        )
    for name, tensors in (("differences", differences), ("sizes", sizes)):
        if not all(tensor.isfinite().all() for tensor in tensors):
            raise ValueError(f"{function}: {name} holds NaN or infinite values: score these clips, or leave them out.")
    if not all((size >= 0).all() and size.sum() > 0 for size in sizes):
        raise ValueError(f"{function}: sizes must not be negative, nor all zero: they count the units of each clip.")
    if not 0 < level < 1:
        raise ValueError(f"{function}: level={level} must lie between 0 and 1.")
    return [(d.double(), s.double()) for d, s in zip(differences, sizes, strict=True)]


def _resampled(difference: Tensor, size: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Computes the mean difference of so many draws of as many clips as there are."""
    means = []
    for some in torch.arange(draws).split(max(LARGEST // len(size), 1)):
        clips = torch.randint(len(size), (len(some), len(size)), generator=generator)
        means.append(difference[clips].sum(1) / size[clips].sum(1))
    return torch.cat(means)


def _counts(draws: int, among: int, generator: torch.Generator) -> Tensor:
    """Counts how often each of `among` things comes up in a draw of as many: `(draws, among)`."""
    drawn = torch.randint(among, (draws, among), generator=generator)
    # ones of no size: a tensor of them would be as large as the draw
    return torch.zeros(draws, among, dtype=torch.float64).scatter_add_(
        1, drawn, torch.ones((), dtype=torch.float64).expand_as(drawn)
    )


def _between(pairs: list[tuple[Tensor, Tensor]], drawn: Tensor, level: float) -> Interval:
    value = torch.stack([difference.sum() / size.sum() for difference, size in pairs]).mean()
    # a draw of clips without a unit has no mean
    low, high = drawn.nanquantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64))
    return Interval(value.item(), low.item(), high.item())
