"""Attention over several sets of vectors by learned potentials: of a vector alone, in its own set, and between sets."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width


class Similarity(nn.Module):
    """Compares two sets by cosine: `(clip, one, width)` and `(clip, other, width)` → `(clip, one, other)`."""

    def __init__(self, one: int, other: int):
        """Builds the projections; both go to the larger width.

        Args:
            one: Channels of the first set.
            other: Channels of the second set.
        """
        super().__init__()
        width = max(one, other)
        self.one, self.other = nn.Linear(one, width), nn.Linear(other, width)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Computes the cosines."""
        return F.normalize(self.one(one), dim=2) @ F.normalize(self.other(other), dim=2).mT


class FactorAttention(nn.Module):
    r"""Pools several sets of vectors, each by a softmax over a learned sum of potentials of its vectors.

    The potentials of a vector are its own, $w^\top \mathrm{relu}(W x)$, its mean cosine to its own set and to every
    other set, each in projections of its own, and a prior. No padding is masked.

    Shapes: sets `(clip, vector, width)`, priors `(clip, vector)` → for every set a vector `(clip, width)` and weights
    `(clip, vector)`.
    Source: Schwartz et al., *A Simple Baseline for Audio-Visual Scene-Aware Dialog*, CVPR 2019 (AVSD).
    """

    def __init__(self, widths: Sequence[int], *, dropout: float = 0.5):
        """Builds the potentials; the default is the published number.

        Args:
            widths: Channels of every set.
            dropout: Dropout rate in the potentials of single vectors.
        """
        super().__init__()
        self.widths = tuple(widths)
        self.alone = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1))
            for width in widths
        )
        self.inside = nn.ModuleList(Similarity(width, width) for width in widths)
        self.pairs = list(combinations(range(len(widths)), 2))
        self.between = nn.ModuleList(Similarity(widths[one], widths[other]) for one, other in self.pairs)
        self.mix = nn.ModuleList(nn.Linear(len(widths) + 2, 1, bias=False) for _ in widths)

    def forward(self, sets: Sequence[Tensor], priors: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Pools the sets; returns vectors and weights."""
        for at, (given, width) in enumerate(zip(sets, self.widths, strict=True)):
            check_width(self, f"sets[{at}]", given, width)
        potentials = [
            [alone(given)[:, :, 0], inside(given, given).mean(2)]
            for given, alone, inside in zip(sets, self.alone, self.inside, strict=True)
        ]
        for (one, other), compare in zip(self.pairs, self.between, strict=True):
            cosines = compare(sets[one], sets[other])
            potentials[one].append(cosines.mean(2))
            potentials[other].append(cosines.mean(1))
        weights = [
            mix(torch.stack([*found, prior], dim=2))[:, :, 0].softmax(1)
            for mix, found, prior in zip(self.mix, potentials, priors, strict=True)
        ]
        return [(weight[:, None] @ given)[:, 0] for weight, given in zip(weights, sets, strict=True)], weights

    def extra_repr(self) -> str:
        """Shows the widths."""
        return f"{self.widths}"
