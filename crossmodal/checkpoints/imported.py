"""A strict import: every tensor of a file is mapped, or dropped with a reason; every tensor here is filled; or none."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from .reading import Found, recognised
from .rules import Dropped, Rule

SHOWN = 12
"""Rows of one kind that a table shows."""


@dataclass(frozen=True)
class Imported:
    """What became of the tensors of a file; `str` of it is a table.

    - `source`, `layout`: the file, and whose names it has.
    - `mapped`: our name → the name in the file (one fused tensor fills several of ours).
    - `dropped`: name in the file → why it has no place here.
    - `missing`: tensors here that the file does not fill. `unknown`: names in the file that nobody knows.
    - `misfits`: our name → how the file's tensor does not fit. Of these three an import that succeeded has none.
    - `notes`: what was done to reach the tensors.
    """

    source: str
    layout: str
    mapped: Mapping[str, str]
    dropped: Mapping[str, str]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    misfits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether file and model match in both directions."""
        return not (self.missing or self.unknown or self.misfits)

    def __str__(self) -> str:
        reasons: dict[str, list[str]] = defaultdict(list)
        for name, reason in self.dropped.items():
            reasons[reason].append(name)
        taken = len(set(self.mapped.values()))
        lines = [f"{self.source}: {self.layout}", *(f"  {note}" for note in self.notes)]
        lines.append(f"  mapped   {taken} tensors of the file to {len(self.mapped)} of the model")
        for reason, names in reasons.items():
            lines.append(f"  dropped  {len(names)}: {reason} ({', '.join(folded(names))})")
        lines.append(f"  missing  {len(self.missing)}")
        return "\n".join(lines + self._faults())

    def _faults(self) -> list[str]:
        lines = _rows((f"    {name}: {why}" for name, why in self.misfits.items()), len(self.misfits))
        lines += _rows((f"    {name}: missing from the file" for name in self.missing), len(self.missing))
        return lines + _rows((f"    {name}: in the file, unknown here" for name in self.unknown), len(self.unknown))


def bring(module: nn.Module, found: Found, rule: Rule, *, layout: str, importer: str) -> Imported:
    """Fills `module` with the tensors of a file, or raises `ValueError` and leaves it as it was.

    Floating point is converted to the model's; a model on the meta device gets tensors of its own on the CPU.
    """
    if not_one_known(found.tensors, rule):
        raise ValueError(
            f"{importer}: {found.source} is no {layout} checkpoint: none of its {len(found.tensors)} names is one of "
            f"such a file (its first: {', '.join(list(found.tensors)[:3])}).{recognised(found.tensors)}"
        )
    state, report = compare(module, found, rule, layout=layout)
    if not report.fits:
        other = recognised(found.tensors)
        raise ValueError(
            f"{importer}: the file does not fit this {type(module).__name__}, nothing was loaded."
            f"{'' if importer in other else other}\n{report}"
        )
    _fill(module, state)
    return report


def compare(module: nn.Module, found: Found, rule: Rule, *, layout: str) -> tuple[dict[str, Tensor], Imported]:
    """The tensors of a file by our names, and how they match those of `module`; changes nothing."""
    own = module.state_dict()
    state: dict[str, Tensor] = {}
    mapped: dict[str, str] = {}
    dropped: dict[str, str] = {}
    unknown: list[str] = []
    misfits: dict[str, str] = {}
    for name, tensor in found.tensors.items():
        placed = rule(name, tensor)
        if isinstance(placed, Dropped):
            dropped[name] = placed.reason
        elif placed is None or not placed.keys() <= own.keys():
            unknown.append(name)
        else:
            for ours, part in placed.items():
                if ours in mapped:
                    misfits[ours] = f"filled twice, by {mapped[ours]} and {name}"
                elif why := misfit(own[ours], part):
                    misfits[ours] = f"{why} ({name})"
                state[ours], mapped[ours] = part, name
    missing = tuple(name for name in own if name not in mapped)
    return state, Imported(found.source, layout, mapped, dropped, missing, tuple(unknown), misfits, found.notes)


def misfit(ours: Tensor, theirs: Tensor) -> str | None:
    """How a tensor does not fit the place it is meant for; `None` where it does."""
    if ours.shape != theirs.shape:
        return f"{tuple(theirs.shape)} in the file, {tuple(ours.shape)} here"
    if ours.is_floating_point() != theirs.is_floating_point():
        return f"{theirs.dtype} in the file, {ours.dtype} here"
    if theirs.is_meta or bool(theirs.isfinite().all()):
        return None
    return "NaN or infinite in the file"


def folded(names: Iterable[str], kinds: int = 4) -> list[str]:
    """Names with their numbers as `*` and their ends cut off, as far as it takes to leave few kinds."""
    parts = [re.sub(r"(?<=\.)\d+(?=\.|$)", "*", name).split(".") for name in names]
    for depth in range(max(map(len, parts), default=0), 0, -1):
        cut = [".".join(part[:depth]) + ("…" if len(part) > depth else "") for part in parts]
        if len(set(cut)) <= kinds:
            return list(dict.fromkeys(cut))
    return [f"{parts[0][0]}…"] if parts else []


def not_one_known(tensors: Mapping[str, Tensor], rule: Rule) -> bool:
    """Whether a file is of another layout altogether."""
    return not any(isinstance(rule(name, tensor), Mapping) for name, tensor in tensors.items())


def _rows(lines: Iterable[str], count: int) -> list[str]:
    more = [f"    … and {count - SHOWN} more"] if count > SHOWN else []
    return [*list(lines)[:SHOWN], *more]


def _fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    if not any(tensor.is_meta for tensor in own.values()):
        for name, tensor in state.items():
            own[name].copy_(tensor)
        return
    fresh = {name: tensor.to(own[name].dtype, copy=True).contiguous() for name, tensor in state.items()}
    module.load_state_dict(fresh, assign=True)
