"""Do maps and counterfactuals point at the object that sounds? The built-in world knows where it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from crossmodal.data.world import World
from crossmodal.drawing import read_sites, unfold_map
from crossmodal.evaluation.counterfactuals import Looked, looked
from crossmodal.metrics import PointingCounts, PointingScores, pointing_counts, pointing_scores, summed
from crossmodal.metrics.pointing import covered
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.site import Site

BEST = "best possible"
"""What a map of that grid can reach: one that knows the mask."""

SOUNDING, ANY = "sounding object", "any object"


class Pointed(NamedTuple):
    """How often something points at something, over all seconds in which a visible object sounds.

    - `coupler`: after whose step; `cells`: rows and columns of its grid.
    - `what`: a kind of map, `MISSING`, `SILENCED`, or `BEST`.
    - `target`: `SOUNDING`, or `ANY` object that is visible in such a second.
    """

    coupler: str
    cells: tuple[int, int]
    what: str
    target: str
    scores: PointingScores


class Seconds(NamedTuple):
    """A batch of clips second by second: what was looked at, and the truth.

    - `sounding`, `objects`: `(frame, height, width)`, pixels of the object that sounds, and of all objects.
    - `labels`: `(frame,)`. `clips`: index of the clip of every second.
    """

    looked: Looked
    sounding: Tensor
    objects: Tensor
    labels: Tensor
    clips: Tensor


def seconds(model: AudioVisualEvents, world: World, clips: Sequence[int], *, batch: int = 5) -> Iterator[Seconds]:
    """Looks at the given clips of the world, `batch` of them at a time."""
    like = next(model.parameters())
    for start in range(0, len(clips), batch):
        here = list(clips[start : start + batch])
        truths, given = [world.truth(clip) for clip in here], [world[clip] for clip in here]
        frames, wave = (torch.stack([getattr(clip, name) for clip in given]).to(like) for name in ("frames", "wave"))
        yield Seconds(
            looked(model, frames, wave),
            torch.cat([torch.from_numpy(truth.event_mask) for truth in truths]),
            torch.cat([torch.from_numpy(truth.masks.any(axis=1)) for truth in truths]),
            torch.cat([clip.labels for clip in given]),
            torch.tensor(here).repeat_interleave(frames.shape[1]),
        )


def points(model: AudioVisualEvents, batches: Iterable[Seconds]) -> list[Pointed]:
    """Scores whatever guides the frames; coupler by coupler, in order of depth."""
    sites, counts = read_sites(model.coupled), dict[tuple[str, str, str], list[PointingCounts]]()
    for batch in batches:
        shown = batch.sounding.flatten(1).any(1)
        for coupler, grids in _grids(batch.looked, {name: of["visual"] for name, of in sites.items()}).items():
            for target, mask in ((SOUNDING, batch.sounding), (ANY, batch.objects)):
                best = {BEST: covered(mask, next(iter(grids.values())).shape[1:])}
                for what, grid in {**grids, **best}.items():
                    counts.setdefault((coupler, what, target), []).append(pointing_counts(grid[shown], mask[shown]))
    return [
        Pointed(coupler, sites[coupler]["visual"].grid, what, target, pointing_scores(summed(parts)))
        for (coupler, what, target), parts in counts.items()
    ]


def _grids(found: Looked, sites: Mapping[str, Site]) -> dict[str, dict[str, Tensor]]:
    """Coupler → what was looked at → `(frame, row, column)`, of the visual stream."""
    grids: dict[str, dict[str, Tensor]] = {coupler: {} for coupler in sites}
    for what, by_coupler in found.values.get("visual", {}).items():
        for coupler, values in by_coupler.items():
            grids[coupler][what] = unfold_map(values, sites[coupler])
    return {coupler: named for coupler, named in grids.items() if named}


def table(rows: Sequence[Pointed], target: str) -> str:
    """A line a coupler, a column a thing looked at, in percent, by spaces."""
    of = [row for row in rows if row.target == target]
    kinds = [kind for kind in dict.fromkeys(row.what for row in of) if kind != BEST]
    lines = [["coupler", "grid", *kinds, BEST]]
    for coupler in dict.fromkeys(row.coupler for row in of):
        found = {row.what: row for row in of if row.coupler == coupler}
        reached = {what: f"{100 * row.scores.accuracy.item():.1f}" for what, row in found.items()}
        grid = " × ".join(map(str, found[BEST].cells))
        lines.append([coupler, grid, *(reached.get(kind, "–") for kind in (*kinds, BEST))])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    chance = f"points at {target}, % of seconds; chance {100 * of[0].scores.chance.item():.1f}"
    told = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([chance, *told])


def mean_scores(batches: Iterable[Seconds]) -> dict[str, float]:
    """The probability of the true class, meant over all seconds in which a visible object sounds."""
    totals: dict[str, float] = {}
    count = 0
    for batch in batches:
        shown = batch.sounding.flatten(1).any(1)
        count += int(shown.sum())
        for name, scores in batch.looked.scores.items():
            true = scores.cpu().gather(1, batch.labels[:, None])[shown].sum().item()
            totals[name] = totals.get(name, 0.0) + true
    return {name: total / count for name, total in totals.items()}
