"""Pairings: functions from the sites of two streams to the steps of a lockstep. Write your own as freely."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from ..site import Site
from .encoder import module_key
from .step import Sites, Step

Block = tuple[str, ...]
"""The sections of one block, in order."""


def paired_as_released(sites: Sites) -> tuple[Step, ...]:
    """Pairs as the released code does: the first stream is cut in halves, the second is not.

    The second stream's whole block runs beside the first half of its partner, and nothing beside the other half; both
    receive residuals at both steps. In a stage of unequal depths a block meets the last of the blocks that share its
    place: HTS-AT's block i of 6 meets Swin's block 3i + 2 of 18; the blocks between run uncoupled.
    """
    first, second = two_streams(sites)
    steps = []
    for places, merges in stages(sites):
        for (*alone, ours), (*others, theirs) in places:
            if alone or others:
                steps.append(Step({first: sum(alone, ()), second: sum(others, ())}))
            steps.append(Step({first: ours[:1], second: theirs}, coupler=module_key(ours[0])))
            steps += [Step({first: (half,), second: ()}, coupler=module_key(half)) for half in ours[1:]]
        steps += merges
    return tuple(steps)


def paired_as_paper(sites: Sites) -> tuple[Step, ...]:
    """Pairs as the paper does: half-block against half-block, at every layer.

    In a stage of unequal depths a block of the shallower stream guides all the blocks that share its place, runs
    beside the last of them, and is guided by that one: an HTS-AT block of stage 3 guides three Swin blocks and is
    guided by the third.
    """
    names = two_streams(sites)
    steps = []
    for places, merges in stages(sites):
        for place in places:
            deep, shallow = (0, 1) if len(place[0]) >= len(place[1]) else (1, 0)
            (*early, ours), (theirs,) = place[deep], place[shallow]
            guided = (names[shallow], names[deep])
            for half in sum(early, ()):
                alone = {name: (half,) if name == names[deep] else () for name in names}
                steps.append(Step(alone, coupler=module_key(half), edges=(guided,)))
            for our, their in halves(ours, theirs):
                both = {name: our if name == names[deep] else their for name in names}
                steps.append(Step(both, coupler=module_key(our[0])))
        steps += merges
    return tuple(steps)


def paired_by_depth(sites: Sites) -> tuple[Step, ...]:
    """Pairs any two encoders: blocks meet at the same relative depth, whatever the stages are.

    Blocks are counted through all stages. Where one stream has N of them and the other n ≤ N, block j of the n, from 1,
    runs beside block ⌊jN/n⌋ of the N, and both guide each other: half against half where both are cut so, else whole
    against whole. The blocks between and all merges run uncoupled. With equal depths every block meets its like.
    """
    names = two_streams(sites)
    units = {name: units_of(sites[name][1:], name) for name in names}
    # stable also in reverse: of equal depths, the first stream counts as the deep one
    deep, shallow = sorted(names, key=lambda name: len(units[name].blocks), reverse=True)
    deeper, shallower = len(units[deep].blocks), len(units[shallow].blocks)
    steps, at = [], 0
    for number, their in enumerate(units[shallow].blocks):
        meet = (number + 1) * deeper // shallower - 1  # block ⌊jN/n⌋, counted from 0
        between = sum((units[deep].before[i] + units[deep].blocks[i] for i in range(at, meet)), ())
        alone = {deep: between + units[deep].before[meet], shallow: units[shallow].before[number]}
        steps += [Step(alone)] if any(alone.values()) else []
        for ours, theirs in halves(units[deep].blocks[meet], their):
            steps.append(Step({deep: ours, shallow: theirs}, coupler=module_key(ours[0])))
        at = meet + 1
    ends = {name: units[name].before[-1] for name in names}
    return (*steps, Step(ends)) if any(ends.values()) else tuple(steps)


def paired_after_attention(sites: Sites) -> tuple[Step, ...]:
    """Pairs as the released few-shot code: block by block, read behind the attention half.

    The second stream runs its whole block beside the first half of its partner. A coupler reads both behind these and
    adds to both; the other reads them then, before the first stream's MLP half, and adds behind it.

    Raises:
        ValueError: If the streams have other numbers of blocks.
    """
    first, second = two_streams(sites)
    units = {name: units_of(sites[name][1:], name) for name in (first, second)}
    ours, theirs = (units[name].blocks for name in (first, second))
    if len(ours) != len(theirs):
        raise ValueError(
            f"paired_after_attention: {first} has {len(ours)} blocks and {second} {len(theirs)}: they must be as many; "
            "paired_by_depth takes any."
        )
    steps = []
    for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        merges = {name: units[name].before[number] for name in (first, second)}
        steps += [Step(merges)] if any(merges.values()) else []
        steps.append(Step({first: our[:1], second: their}))
        steps.append(Step({first: (), second: ()}, coupler=module_key(our[0])))
        steps += [Step({first: (half,), second: ()}, coupler=module_key(half)) for half in our[1:]]
    ends = {name: units[name].before[-1] for name in (first, second)}
    return (*steps, Step(ends)) if any(ends.values()) else tuple(steps)


class Units(NamedTuple):
    """The blocks of a stream; and what runs before each of them and, last, behind them all: the merges."""

    blocks: list[Block]
    before: list[Block]


def units_of(sections: Sequence[Site], stream: str) -> Units:
    """Cuts the sections of a stream into blocks and merges; `ValueError` where there is no block."""
    found = Units([], [])
    merges: Block = ()
    for (_, _, merge), group in groupby(sections, lambda site: (site.stage, site.block, site.part == "merge")):
        run = tuple(site.name for site in group)
        if merge:
            merges += run
        else:
            found.blocks.append(run)
            found.before.append(merges)
            merges = ()
    if not found.blocks:
        raise ValueError(f"pairing: {stream} has no block that keeps its width and tokens; cut it at others.")
    found.before.append(merges)
    return found


def two_streams(sites: Sites) -> tuple[str, str]:
    """Returns the names of the two streams; raises `ValueError` for any other number."""
    if len(sites) != 2:
        raise ValueError(
            f"pairing: needs the sites of two streams, got {list(sites)}; write the steps yourself. A third stream may "
            "guide a pair: also_guided_by(pairing, name)."
        )
    first, second = sites
    return first, second


def stages(sites: Sites) -> list[tuple[list[tuple[list[Block], list[Block]]], list[Step]]]:
    """Sorts the blocks of two streams by stage.

    Returns:
        For every stage its places, each with the blocks of either stream that share it, and the step of its merges.

    Raises:
        ValueError: If the streams have other stages, or depths that do not divide.
    """
    first, second = two_streams(sites)
    ours, theirs = by_stage(sites[first]), by_stage(sites[second])
    if ours.keys() != theirs.keys():
        raise ValueError(
            f"pairing: {first} has stages {list(ours)}, {second} has {list(theirs)}: they must agree; paired_by_depth "
            f"takes any, or write the steps yourself."
        )
    cut = []
    for stage in ours:
        merges = {name: merging(of) for name, of in ((first, ours[stage]), (second, theirs[stage]))}
        places = matched_blocks(blocks(ours[stage]), blocks(theirs[stage]), stage)
        cut.append((places, [Step(merges)] if any(merges.values()) else []))
    return cut


def by_stage(sites: Sequence[Site]) -> dict[int, list[Site]]:
    """Groups the sites behind the stem by stage."""
    return {stage: list(group) for stage, group in groupby(sites[1:], lambda site: site.stage)}


def blocks(stage: Sequence[Site]) -> list[Block]:
    """Returns the blocks of a stage, each as the names of its sections."""
    inside = (site for site in stage if site.part != "merge")
    return [tuple(site.name for site in group) for _, group in groupby(inside, lambda site: site.block)]


def merging(stage: Sequence[Site]) -> Block:
    """Returns the merge that ends a stage, if one does."""
    return tuple(site.name for site in stage if site.part == "merge")


def matched_blocks(ours: list[Block], theirs: list[Block], stage: int) -> list[tuple[list[Block], list[Block]]]:
    """Blocks dealt out to as many places as the shallower side has blocks."""
    places = min(len(ours), len(theirs))
    if not places or len(ours) % places or len(theirs) % places:
        raise ValueError(
            f"pairing: stage {stage} has {len(ours)} and {len(theirs)} blocks: one must be a multiple of the other; "
            f"paired_by_depth takes any, or write the steps yourself."
        )
    one, other = len(ours) // places, len(theirs) // places
    return [(ours[i * one : (i + 1) * one], theirs[i * other : (i + 1) * other]) for i in range(places)]


def halves(ours: Block, theirs: Block) -> list[tuple[Block, Block]]:
    """Pairs half with half, or whole with whole where the two are cut differently."""
    if len(ours) != len(theirs):
        return [(ours, theirs)]
    return [((our,), (their,)) for our, their in zip(ours, theirs, strict=True)]
