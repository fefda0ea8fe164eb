"""Along a recorded forward: the streams between which a model is cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..hooks.globs import match, near
from ..hooks.hook_plan import why_not
from ..hooks.probe import Point
from ..hooks.tensor_layout import Port
from .graph import Held, Line, Record, Ref


@dataclass(frozen=True)
class Cut:
    """Where one section ends: at which tensor, and what flows there."""

    at: Ref
    port: Port


def matched(patterns: str | Sequence[str], points: Mapping[str, Point]) -> set[str]:
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


def chain(names: set[str], points: Mapping[str, Point], lines: Sequence[Line], record: Record) -> list[Cut]:
    """The stem's end and the end of every section, as they ran; unplaced yet.

    `ValueError` where a module ran twice, no stream flows through it, or it overwrites its stream.
    """
    ran = [number for number, line in enumerate(lines) if isinstance(line.target, Held) and line.target.name in names]
    cuts: list[Cut] = []
    stage = block = 0
    for number in ran:
        name = str(lines[number])
        if sum(str(lines[other]) == name for other in ran) > 1:
            raise ValueError(f"sections_of: {name!r} runs more than once in a forward; a section runs once.")
        entered, reads, writes = _through(name, number, points, lines, record)
        if not cuts:
            cuts.append(Cut(entered, replace(reads, name="stem", part="stem")))
        elif not _same(cuts[-1].port, reads):
            between = _between(lines, cuts[-1].at, entered, f"merge.{stage}")
            cuts.append(Cut(entered, replace(reads, name=between, stage=stage, part="merge")))
            stage, block = stage + 1, 0
        if _same(reads, writes):
            cuts.append(Cut(Ref(number), replace(writes, name=name, stage=stage, block=block)))
            block += 1
        else:
            cuts.append(Cut(Ref(number), replace(writes, name=name, stage=stage, part="merge")))
            stage, block = stage + 1, 0
    for cut in cuts:
        _check_stream(cut, record)
    return cuts


def _through(
    name: str, number: int, points: Mapping[str, Point], lines: Sequence[Line], record: Record
) -> tuple[Ref, Port, Port]:
    """The tensor that flows into a module, and the ports at both sides of it."""
    entered = next((ref for ref in lines[number].refs if ref.line in record.moving), None)
    reads, writes = points[name].reads, points[name].writes
    if entered is None or reads is None:
        raise ValueError(f"sections_of: no stream flows into {name!r}: {why_not(points[name], 0)}.")
    if writes is None:
        raise ValueError(f"sections_of: no stream flows out of {name!r}: {why_not(points[name], 1)}.")
    return entered, reads, writes


def _same(one: Port, other: Port) -> bool:
    return (one.tokens, one.width) == (other.tokens, other.width)


def _between(lines: Sequence[Line], start: Ref, end: Ref, otherwise: str) -> str:
    """The name of what changes the stream between two modules: that of the module that does it, if one alone does."""
    line = lines[end.line] if end.line >= 0 else None
    alone = line is not None and isinstance(line.target, Held) and list(line.refs) == [start]
    return str(line) if alone else otherwise


def _check_stream(cut: Cut, record: Record) -> None:
    tensor = record.tensors[cut.at]
    frames = len(record.tensors[Ref(-1)])
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
