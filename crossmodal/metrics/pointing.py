"""The pointing game: does a map's greatest value lie on the object that it should point at?"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..shapes import shaped
from .counts import Read, exact

if TYPE_CHECKING:
    from .metric import CountMetric


class PointingCounts(NamedTuple):
    """Counts, of the frames that show the object, hits, the hits expected by chance, and frames."""

    hits: Float[Tensor, ""]
    by_chance: Float[Tensor, ""]
    total: Int64[Tensor, ""]


class PointingScores(NamedTuple):
    """Holds the share of frames that were hit, in [0, 1], and what a point drawn at random would reach."""

    accuracy: Float[Tensor, ""]
    chance: Float[Tensor, ""]


@shaped
def pointing_counts(
    map: Float[Tensor, "frame rows columns"], mask: Bool[Tensor, "frame height width"]
) -> PointingCounts:
    """Counts the frames whose map is greatest on the object; those whose mask is empty are left out.

    A map may be coarser than the mask: a cell counts by the share of its area that the mask covers, so a hit is the
    chance that a point drawn within the greatest cell lies in the mask. Cells that are equally great share the hit: a
    map that is constant gets exactly what chance gets, the mask's share of the frame. `nan` is no value.

    Source: the pointing game of Zhang et al., *Top-down Neural Attention by Excitation Backprop*, ECCV 2016, without
    its tolerance of 15 pixels.

    Args:
        map: Higher where it points.
        mask: Pixels of the object, over the same picture, at any size.

    Raises:
        ValueError: If a frame of the map has no value.
    """
    empty = map.isnan().flatten(1).all(1)
    if empty.any():
        raise ValueError(f"pointing_counts: the map of frame {int(empty.nonzero()[0])} has no value: all are nan.")
    inside = covered(mask, (map.shape[1], map.shape[2])).flatten(1)
    values = map.flatten(1)
    known = values.where(~values.isnan(), -torch.inf)
    greatest = (values == known.amax(1, keepdim=True)).to(inside.dtype)  # nan equals nothing
    hit = (greatest * inside).sum(1) / greatest.sum(1)
    shown = mask.flatten(1).any(1)
    return PointingCounts(hit[shown].sum(), mask.flatten(1).to(inside.dtype).mean(1)[shown].sum(), shown.sum())


@shaped
def pointing_scores(counts: PointingCounts) -> PointingScores:
    """Computes accuracy and chance.

    Args:
        counts: Sums of `pointing_counts`, over any batches.

    Raises:
        ValueError: If no frame shows an object.
    """
    if not counts.total:
        raise ValueError("pointing_scores: no frame shows an object: there is nothing to point at.")
    return PointingScores(counts.hits / counts.total, counts.by_chance / counts.total)


def pointing_metric(*, read: Read | None = None) -> "CountMetric[PointingCounts]":
    """Builds the pointing game as a torchmetrics `Metric`: `compute()` returns `{"accuracy": …, "chance": …}`.

    Args:
        read: Turns what `update` is called with into `(map, mask)`; see `CountMetric`.
    """
    from .metric import CountMetric

    sums = torch.zeros(2, dtype=exact(torch.device("cpu")))
    zero = PointingCounts(sums[0], sums[1], torch.tensor(0))
    return CountMetric(pointing_counts, pointing_scores, zero=zero, read=read)


@shaped
def pointing_game(map: Float[Tensor, "frame rows columns"], mask: Bool[Tensor, "frame height width"]) -> PointingScores:
    """Computes accuracy and chance of all frames at once.

    Args:
        map: Higher where it points.
        mask: Pixels of the object, over the same picture, at any size.

    Raises:
        ValueError: If a frame of the map has no value, or no frame shows an object.
    """
    return pointing_scores(pointing_counts(map, mask))


def covered(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Computes the exact share of every cell of a grid that a mask covers.

    Args:
        mask: Pixels of the object, `(frame, height, width)`.
        size: Rows and columns of the grid.
    """
    down, across = (_overlap(pixels, cells, mask.device) for pixels, cells in zip(mask.shape[1:], size, strict=True))
    return down @ mask.to(down.dtype) @ across.T


def _overlap(pixels: int, cells: int, device: torch.device) -> Tensor:
    """Computes how much of each cell each pixel fills along one axis, `(cell, pixel)`; rows sum to one."""
    # In units of 1 / (cells * pixels), so that all borders are whole numbers and shares are exact.
    cell = torch.arange(cells, dtype=exact(device), device=device)[:, None] * pixels
    pixel = torch.arange(pixels, dtype=exact(device), device=device)[None] * cells
    shared = torch.minimum(cell + pixels, pixel + cells) - torch.maximum(cell, pixel)
    return shared.clamp(min=0) / pixels
