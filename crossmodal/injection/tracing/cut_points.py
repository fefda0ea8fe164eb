"""Cut points along a traced forward: the streams between which a model is cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..hooks.globs import match, near
from ..hooks.hook_plan import why_not
from ..hooks.probe import ProbedModule
from ..hooks.tensor_layout import TensorLayout
from .graph import Arg, Attr, Graph, Node


@dataclass(frozen=True)
class CutPoint:
    """End of a section.

    Attributes:
        at: The tensor at which it ends.
        layout: The stream there.
    """

    at: Arg
    layout: TensorLayout


def matching_modules(patterns: str | Sequence[str], probed: Mapping[str, ProbedModule]) -> set[str]:
    """Returns the modules to cut at; raises `ValueError` for a pattern without a match, or a match inside another."""
    found: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matches = match(pattern, probed)
        if not matches:
            raise ValueError(
                f"sections_of: pattern {pattern!r} matches no module that ran in the probe; {near(pattern, probed)}."
            )
        found |= matches.keys()
    for name in sorted(found):
        for other in found:
            if name.startswith(f"{other}."):
                raise ValueError(
                    f"sections_of: {name!r} lies inside {other!r}, and the patterns match both; match one of them."
                )
    return found


def cut_points(
    names: set[str], probed: Mapping[str, ProbedModule], nodes: Sequence[Node], graph: Graph
) -> list[CutPoint]:
    """Finds the end of the stem and of every section, in the order in which they ran; the tokens are not placed yet.

    Raises:
        ValueError: If a module ran twice, no stream flows through it, or it overwrites its stream.
    """
    ran = [number for number, node in enumerate(nodes) if isinstance(node.target, Attr) and node.target.name in names]
    cuts: list[CutPoint] = []
    stage = block = 0
    for number in ran:
        name = str(nodes[number])
        if sum(str(nodes[other]) == name for other in ran) > 1:
            raise ValueError(f"sections_of: {name!r} runs more than once in a forward; a section runs once.")
        entered, reads, writes = _through(name, number, probed, nodes, graph)
        if not cuts:
            cuts.append(CutPoint(entered, replace(reads, name="stem", part="stem")))
        elif not _same(cuts[-1].layout, reads):
            between = _merge_name(nodes, cuts[-1].at, entered, f"merge.{stage}")
            cuts.append(CutPoint(entered, replace(reads, name=between, stage=stage, part="merge")))
            stage, block = stage + 1, 0
        if _same(reads, writes):
            cuts.append(CutPoint(Arg(number), replace(writes, name=name, stage=stage, block=block)))
            block += 1
        else:
            cuts.append(CutPoint(Arg(number), replace(writes, name=name, stage=stage, part="merge")))
            stage, block = stage + 1, 0
    for cut in cuts:
        _check_stream(cut, graph)
    return cuts


def _through(
    name: str, number: int, probed: Mapping[str, ProbedModule], nodes: Sequence[Node], graph: Graph
) -> tuple[Arg, TensorLayout, TensorLayout]:
    """Returns the tensor that flows into a module, and the layouts at both sides of it."""
    entered = next((ref for ref in nodes[number].refs if ref.node in graph.moving), None)
    reads, writes = probed[name].reads, probed[name].writes
    if entered is None or reads is None:
        raise ValueError(f"sections_of: no stream flows into {name!r}: {why_not(probed[name], 0)}.")
    if writes is None:
        raise ValueError(f"sections_of: no stream flows out of {name!r}: {why_not(probed[name], 1)}.")
    return entered, reads, writes


def _same(one: TensorLayout, other: TensorLayout) -> bool:
    return (one.tokens, one.width) == (other.tokens, other.width)


def _merge_name(nodes: Sequence[Node], start: Arg, end: Arg, otherwise: str) -> str:
    """Returns the name of what changes the stream between two modules: a module's, if one alone does it."""
    node = nodes[end.node] if end.node >= 0 else None
    alone = node is not None and isinstance(node.target, Attr) and list(node.refs) == [start]
    return str(node) if alone else otherwise


def _check_stream(cut: CutPoint, graph: Graph) -> None:
    tensor = graph.tensors[cut.at]
    frames = len(graph.tensors[Arg(-1)])
    if cut.layout.frames != frames:
        raise ValueError(
            f"sections_of: the tensor at {cut.layout.name!r} has the shape {tuple(tensor.shape)} "
            f"({cut.layout.layout}), but the example {frames} frames: frames must come first, each alone (no windows "
            "folded into them)."
        )
    if tensor._version != graph.versions[cut.at]:
        raise ValueError(
            f"sections_of: the stream at {cut.layout.name!r} is overwritten in place by what runs next, which would "
            "change it for others that read it; set inplace=False there."
        )
