"""Subgraphs: from two traces of a model to the nodes of its parts."""

from collections.abc import Collection
from typing import Any

import torch

from .graph import Arg, BatchMultiple, Graph, Node, leaves, mapped
from .subgraph_module import InputDevice

INPUT_DEVICE = InputDevice()


def merged_nodes(one: Graph, other: Graph, frames: int) -> list[Node]:
    """Merges two traces, of `frames` and of one more frame, into nodes for any number of frames.

    A number that grew with the frames stands for a multiple of them.

    Raises:
        ValueError: If anything else differs.
    """
    ours, theirs = ([str(node) for node in graph.nodes] for graph in (one, other))
    if ours != theirs:
        at = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if len(set(pair)) > 1), len(theirs))
        raise ValueError(
            f"sections_of: on another input the model runs other code: after {ours[:at][-1:] or 'the start'} came "
            f"{ours[at:][:1] or 'the end'} with one and {theirs[at:][:1] or 'the end'} with the other; what depends on "
            "the input like this cannot be cut."
        )
    return [_merged_node(first, second, frames) for first, second in zip(one.nodes, other.nodes, strict=True)]


def _merged_node(first: Node, second: Node, frames: int) -> Node:
    numbers = list(leaves((second.args, second.kwargs)))[::-1]  # reversed: `pop` then gives them in order

    def one(here: Any) -> Any:
        there = numbers.pop() if numbers else None
        if isinstance(here, torch.device):
            return INPUT_DEVICE
        # not isinstance: a bool is an int, too
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


def subgraph(nodes: list[Node], start: Arg, end: Arg, what: str, streams: Collection[Arg]) -> tuple[list[Node], Arg]:
    """Extracts the nodes that lead from `start` to `end`.

    Returns:
        The nodes, renumbered, and where `end` is among them.

    Raises:
        ValueError: If they need what was computed before `start`: `what` is cut at one stream alone.
    """
    needed: set[int] = set()
    open_ends = [end]
    while open_ends:
        ref = open_ends.pop()
        if ref == start or ref.node in needed:
            continue
        if ref.node == -1 or ref in streams or ref.node == start.node:
            came = "what the model is given" if ref.node == -1 else f"what {nodes[ref.node]} gave"
            raise ValueError(
                f"sections_of: {what} needs {came} besides the stream that flows into it: a cut there would lose it. "
                "Match modules between which nothing but one stream flows."
            )
        needed.add(ref.node)
        open_ends += nodes[ref.node].refs
    order = {old: new for new, old in enumerate(sorted(needed))}  # as they ran
    moved = {start: Arg(-1)}

    def one(leaf: Any) -> Any:
        return moved.get(leaf, Arg(order.get(leaf.node, -1), leaf.leaf)) if isinstance(leaf, Arg) else leaf

    kept = [nodes[number] for number in order]
    return [Node(node.target, *mapped(one, (node.args, node.kwargs))) for node in kept], one(end)
