"""Along a recorded forward: the streams between which a model is cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..hooks.globs import match, near
from ..hooks.hook_plan import why_not
from ..hooks.probe import ProbedModule
from ..hooks.tensor_layout import TensorLayout
from .graph import Arg, Attr, Graph, Node


@dataclass(frozen=True)
class CutPoint:
    """Where one section ends: at which tensor, and what flows there."""

    at: Arg
    port: TensorLayout


def matching_modules(patterns: str | Sequence[str], points: Mapping[str, ProbedModule]) -> set[str]:
    """The modules to cut at. `ValueError` for a pattern without a match, or a match inside another."""
    found: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matches = match(pattern, points)
        if not matches:
            raise ValueError(
                f"sections_of: pattern {pattern!r} matches no module that ran in the probe; {near(pattern, points)}."
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
    names: set[str], points: Mapping[str, ProbedModule], lines: Sequence[Node], record: Graph
) -> list[CutPoint]:
    """The stem's end and the end of every section, as they ran; unplaced yet.

    `ValueError` where a module ran twice, no stream flows through it, or it overwrites its stream.
    """
    ran = [number for number, line in enumerate(lines) if isinstance(line.target, Attr) and line.target.name in names]
    cuts: list[CutPoint] = []
    stage = block = 0
    for number in ran:
        name = str(lines[number])
        if sum(str(lines[other]) == name for other in ran) > 1:
            raise ValueError(f"sections_of: {name!r} runs more than once in a forward; a section runs once.")
        entered, reads, writes = _through(name, number, points, lines, record)
        if not cuts:
            cuts.append(CutPoint(entered, replace(reads, name="stem", part="stem")))
        elif not _same(cuts[-1].port, reads):
            between = _merge_name(lines, cuts[-1].at, entered, f"merge.{stage}")
            cuts.append(CutPoint(entered, replace(reads, name=between, stage=stage, part="merge")))
            stage, block = stage + 1, 0
        if _same(reads, writes):
            cuts.append(CutPoint(Arg(number), replace(writes, name=name, stage=stage, block=block)))
            block += 1
        else:
            cuts.append(CutPoint(Arg(number), replace(writes, name=name, stage=stage, part="merge")))
            stage, block = stage + 1, 0
    for cut in cuts:
        _check_stream(cut, record)
    return cuts


def _through(
    name: str, number: int, points: Mapping[str, ProbedModule], lines: Sequence[Node], record: Graph
) -> tuple[Arg, TensorLayout, TensorLayout]:
    """The tensor that flows into a module, and the ports at both sides of it."""
    entered = next((ref for ref in lines[number].refs if ref.line in record.moving), None)
    reads, writes = points[name].reads, points[name].writes
    if entered is None or reads is None:
        raise ValueError(f"sections_of: no stream flows into {name!r}: {why_not(points[name], 0)}.")
    if writes is None:
        raise ValueError(f"sections_of: no stream flows out of {name!r}: {why_not(points[name], 1)}.")
    return entered, reads, writes


def _same(one: TensorLayout, other: TensorLayout) -> bool:
    return (one.tokens, one.width) == (other.tokens, other.width)


def _merge_name(lines: Sequence[Node], start: Arg, end: Arg, otherwise: str) -> str:
    """The name of what changes the stream between two modules: that of the module that does it, if one alone does."""
    line = lines[end.line] if end.line >= 0 else None
    alone = line is not None and isinstance(line.target, Attr) and list(line.refs) == [start]
    return str(line) if alone else otherwise


def _check_stream(cut: CutPoint, record: Graph) -> None:
    tensor = record.tensors[cut.at]
    frames = len(record.tensors[Arg(-1)])
    if cut.port.frames != frames:
        raise ValueError(
            f"sections_of: the tensor at {cut.port.name!r} has the shape {tuple(tensor.shape)} ({cut.port.layout}), "
            f"but the example {frames} frames: frames must come first, each alone (no windows folded into them)."
        )
    if tensor._version != record.versions[cut.at]:
        raise ValueError(
            f"sections_of: the stream at {cut.port.name!r} is overwritten in place by what runs next, which would "
            "change it for others that read it; set inplace=False there."
        )
