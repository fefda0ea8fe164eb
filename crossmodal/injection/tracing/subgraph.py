"""From two recordings of a model to the lines of its parts."""

from collections.abc import Collection
from typing import Any

import torch

from .graph import Arg, BatchMultiple, Graph, Node, leaves, mapped
from .subgraph_module import InputDevice

INPUT_DEVICE = InputDevice()


def merged_nodes(one: Graph, other: Graph, frames: int) -> list[Node]:
    """The lines of two recordings, of `frames` and of one more frame, as lines for any number of frames.

    A number that grew with the frames stands for a multiple of them. `ValueError` where anything else differs.
    """
    ours, theirs = ([str(line) for line in record.lines] for record in (one, other))
    if ours != theirs:
        at = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if len(set(pair)) > 1), len(theirs))
        raise ValueError(
            f"sections_of: on another input the model runs other code: after {ours[:at][-1:] or 'the start'} came "
            f"{ours[at:][:1] or 'the end'} with one and {theirs[at:][:1] or 'the end'} with the other; what depends on "
            "the input like this cannot be cut."
        )
    return [_merged_node(first, second, frames) for first, second in zip(one.lines, other.lines, strict=True)]


def _merged_node(first: Node, second: Node, frames: int) -> Node:
    numbers = list(leaves((second.args, second.kwargs)))[::-1]

    def one(here: Any) -> Any:
        there = numbers.pop() if numbers else None
        if isinstance(here, torch.device):
            return INPUT_DEVICE
        if type(here) is type(there) is int and here != there:
            times, rest = divmod(here, frames)
            if not rest and there == times * (frames + 1):
                return BatchMultiple(times)
        if type(here) is not type(there) or (here is not there and here != there):
            raise ValueError(
                f"sections_of: {first} is called with {here!r} for {frames} frames and with {there!r} for {frames + 1} "
                "other ones; only multiples of the number of frames may change with the input."
            )
        return here

    args, kwargs = mapped(one, (first.args, first.kwargs))
    return Node(first.target, args, kwargs)


def subgraph(lines: list[Node], start: Arg, end: Arg, what: str, streams: Collection[Arg]) -> tuple[list[Node], Arg]:
    """The lines that lead from `start` to `end`, renumbered, and where `end` is among them.

    `ValueError` where they need what was computed before `start`: `what` is cut at one stream alone.
    """
    needed: set[int] = set()
    open_ends = [end]
    while open_ends:
        ref = open_ends.pop()
        if ref == start or ref.line in needed:
            continue
        if ref.line == -1 or ref in streams or ref.line == start.line:
            came = "what the model is given" if ref.line == -1 else f"what {lines[ref.line]} gave"
            raise ValueError(
                f"sections_of: {what} needs {came} besides the stream that flows into it: a cut there would lose it. "
                "Match modules between which nothing but one stream flows."
            )
        needed.add(ref.line)
        open_ends += lines[ref.line].refs
    order = {old: new for new, old in enumerate(sorted(needed))}
    moved = {start: Arg(-1)}

    def one(leaf: Any) -> Any:
        return moved.get(leaf, Arg(order.get(leaf.line, -1), leaf.leaf)) if isinstance(leaf, Arg) else leaf

    kept = [lines[number] for number in order]
    return [Node(line.target, *mapped(one, (line.args, line.kwargs))) for line in kept], one(end)
