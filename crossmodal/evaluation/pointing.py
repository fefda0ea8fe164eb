"""Pointing game on the built-in world: do maps and counterfactuals point at the object that sounds?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from crossmodal.data.extras import need
from crossmodal.data.world import World
from crossmodal.drawing import read_sites, unfold_map
from crossmodal.evaluation.counterfactuals import GuideEffects, guide_effects
from crossmodal.metrics import PointingCounts, PointingScores, pointing_counts, pointing_scores, summed
from crossmodal.metrics.pointing import covered
from crossmodal.site import Site
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled

from .items import batch_like

if TYPE_CHECKING:
    from pandas import DataFrame

BEST = "best possible"
"""Score of a map of the same grid that knows the mask."""

SOUNDING, ANY = "sounding object", "any object"


class PointingRow(NamedTuple):
    """How often something points at something, over all seconds in which a visible object sounds.

    Attributes:
        coupler: After whose step it was measured.
        cells: Rows and columns of its grid.
        what: A kind of map, `MISSING`, `SILENCED`, or `BEST`.
        target: `SOUNDING`, or `ANY` object that is visible in such a second.
        scores: Share of seconds, and that of chance.
    """

    coupler: str
    cells: tuple[int, int]
    what: str
    target: str
    scores: PointingScores


class WorldEffects(NamedTuple):
    """Effects of the guides on some clips of the world, and the truth about these.

    Attributes:
        effects: What was measured.
        sounding: `(frame, height, width)`, pixels of the object that sounds.
        objects: `(frame, height, width)`, pixels of all objects.
        labels: `(clip, segment)`; one segment for a task with one label per clip.
        clips: Index of every clip in the split.
    """

    effects: GuideEffects
    sounding: Tensor
    objects: Tensor
    labels: Tensor
    clips: Sequence[int]

    @property
    def shown(self) -> Tensor:
        """Returns `(frame,)`: is the object that sounds visible?"""
        return self.sounding.flatten(1).any(1)

    @property
    def scored(self) -> Tensor:
        """Returns `(clip, segment)`: does a visible object sound in the segment, or anywhere in a clip of one label?"""
        shown = self.shown.view(len(self.clips), -1)
        return shown if shown.shape[1] == self.labels.shape[1] else shown.any(1, keepdim=True)

    def true_probabilities(self) -> dict[str, Tensor]:
        """Returns, by name of the run, the probability of the true label `(clip, segment)`."""
        places = self.labels[:, :, None]
        return {name: values.cpu().gather(2, places)[:, :, 0] for name, values in self.effects.probabilities.items()}


def world_effects(
    system: CoupledSystem, task: Labelled, world: World, clips: Sequence[int], *, batch: int = 5
) -> Iterator[WorldEffects]:
    """Yields the effects on some clips of the world, at most `batch` of them at a time, in parts of equal size.

    Args:
        system: System that reads clips, as `guide_effects` takes it.
        task: Its task.
        world: One split.
        clips: Indices of clips.
        batch: Most clips of a part.
    """
    like = next(system.parameters())
    for part in np.array_split(np.asarray(clips), -(-len(clips) // batch)) if len(clips) else []:
        here = part.tolist()
        truths, given = [world.truth(clip) for clip in here], default_collate([world[clip] for clip in here])
        yield WorldEffects(
            guide_effects(system, batch_like(given, like)),
            torch.cat([torch.from_numpy(truth.event_mask) for truth in truths]),
            torch.cat([torch.from_numpy(truth.masks.any(axis=1)) for truth in truths]),
            task.labels(given, system.classes),
            here,
        )


def pointing_rows(system: CoupledSystem, parts: Iterable[WorldEffects]) -> list[PointingRow]:
    """Scores everything that guides the frames, coupler by coupler, in order of depth."""
    sites, counts = read_sites(system.coupled), dict[tuple[str, str, str], list[PointingCounts]]()
    for part in parts:
        for coupler, grids in _grids(part.effects, {name: of["visual"] for name, of in sites.items()}).items():
            for target, mask in ((SOUNDING, part.sounding), (ANY, part.objects)):
                # a coarse grid cannot meet a small mask: what is scored is seen beside what the grid allows
                best = {BEST: covered(mask, sites[coupler]["visual"].grid)}
                for what, grid in {**grids, **best}.items():
                    counted = pointing_counts(grid[part.shown], mask[part.shown])
                    counts.setdefault((coupler, what, target), []).append(counted)
    return [
        PointingRow(coupler, sites[coupler]["visual"].grid, what, target, pointing_scores(summed(counted)))
        for (coupler, what, target), counted in counts.items()
    ]


def _grids(effects: GuideEffects, sites: Mapping[str, Site]) -> dict[str, dict[str, Tensor]]:
    """Returns coupler → what was measured → `(frame, row, column)`, of the visual stream."""
    grids: dict[str, dict[str, Tensor]] = {coupler: {} for coupler in sites}
    for what, by_coupler in effects.values.get("visual", {}).items():
        for coupler, values in by_coupler.items():
            grids[coupler][what] = unfold_map(values, sites[coupler])
    return {coupler: named for coupler, named in grids.items() if named}


def pointing_frame(rows: Sequence[PointingRow]) -> "DataFrame":
    """Returns a table with a line per coupler, thing measured and target."""
    columns = ["coupler", "rows", "columns", "what", "target", "accuracy", "chance"]
    lines = [(row.coupler, *row.cells, row.what, row.target, *(score.item() for score in row.scores)) for row in rows]
    return need("pandas", "look").DataFrame(lines, columns=columns)


def pointing_text(rows: Sequence[PointingRow], target: str) -> str:
    """Returns a line per coupler and a column per thing measured, in percent, below a line that says chance."""
    of = pointing_frame([row for row in rows if row.target == target])
    of["grid"] = of["rows"].astype(str) + " × " + of["columns"].astype(str)
    shares = (100 * of["accuracy"]).map("{:.1f}".format)
    wide = of.assign(shares=shares).pivot(index=["coupler", "grid"], columns="what", values="shares")
    kinds = [kind for kind in dict.fromkeys(of["what"]) if kind != BEST]
    wide = wide.loc[list(dict.fromkeys(zip(of["coupler"], of["grid"], strict=True))), [*kinds, BEST]]
    chance = f"points at {target}, % of seconds; chance {100 * of['chance'].iloc[0]:.1f}"
    text = wide.fillna("–").reset_index()
    apart = {name: len(name) + 1 for name in text.columns}  # names hold spaces: two of them between columns
    return f"{chance}\n{text.to_string(index=False, col_space=apart)}"


def probabilities_frame(parts: Sequence[WorldEffects], labels: Sequence[str]) -> "DataFrame":
    """Returns a line per segment: its true label, and the probability of that with all guides and without some.

    Args:
        parts: Effects on some clips.
        labels: Names of the labels, background last.
    """
    lines = []
    for part in parts:
        named = part.true_probabilities()
        for at, clip in enumerate(part.clips):
            for segment, label in enumerate(part.labels[at].tolist()):
                values = {name: of[at, segment].item() for name, of in named.items()}
                lines.append({"clip": clip, "segment": segment, "truth": labels[label], **values})
    return need("pandas", "look").DataFrame(lines)


def mean_probabilities(parts: Iterable[WorldEffects]) -> dict[str, float]:
    """Returns the mean probability of the true label over all segments in which a visible object sounds."""
    known: dict[str, list[Tensor]] = {}
    for part in parts:
        for name, values in part.true_probabilities().items():
            known.setdefault(name, []).append(values[part.scored])
    return {name: torch.cat(values).mean().item() for name, values in known.items()}
