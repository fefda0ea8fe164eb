"""A strict import: every tensor of a file is mapped, or dropped with a reason; every tensor here is filled; or none."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .mismatch import Row, table
from .reading import Found, recognised
from .rules import Dropped, Rule


@dataclass(frozen=True)
class Imported:
    """What became of the tensors of a file; `str` of it is a table.

    - `source`, `layout`: the file, and whose names it has.
    - `mapped`: our name → the name in the file (one fused tensor fills several of ours).
    - `dropped`: name in the file → why it has no place here.
    - `differences`: tensors that are missing, unknown or do not fit; an import that succeeded has none.
    - `notes`: what was done to reach the tensors, and what they say about themselves.
    """

    source: str
    layout: str
    mapped: Mapping[str, str]
    dropped: Mapping[str, str]
    differences: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Tensors of the model that the file does not fill."""
        return tuple(row.name for row in self.differences if row.in_the_file is None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names in the file that have no place in the model, and no reason to have none."""
        return tuple(row.name for row in self.differences if row.in_this_model is None)

    def __str__(self) -> str:
        reasons: dict[str, list[str]] = defaultdict(list)
        for name, reason in self.dropped.items():
            reasons[reason].append(name)
        lines = [f"{self.source}: {self.layout}", *(f"  {note}" for note in self.notes)]
        lines.append(
            f"  mapped   {len(set(self.mapped.values()))} tensors of the file to {len(self.mapped)} of the model"
        )
        for reason, names in reasons.items():
            lines.append(f"  dropped  {len(names)}: {reason} ({', '.join(folded(names))})")
        lines.append(f"  missing  {len(self.missing)}")
        return table("\n".join(lines), self.differences) if self.differences else "\n".join(lines)


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
    if report.differences:
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
    rows: list[Row] = []
    for name, tensor in found.tensors.items():
        placed = rule(name, tensor)
        if isinstance(placed, Dropped):
            dropped[name] = placed.reason
        elif placed is None or not placed.keys() <= own.keys():
            rows.append(Row(name, told(tensor), None))
        else:
            for ours, part in placed.items():
                there = f"twice, as {mapped[ours]} too" if ours in mapped else misfit(part, own[ours])
                rows += [Row(f"{ours} ← {name}", there, told(own[ours]))] if there else []
                state[ours], mapped[ours] = part, name
    rows += [Row(name, None, told(tensor)) for name, tensor in own.items() if name not in mapped]
    return state, Imported(found.source, layout, mapped, dropped, tuple(rows), found.notes)


def misfit(theirs: Tensor, ours: Tensor) -> str | None:
    """What is wrong with a tensor for the place it is meant for; `None` where it fits."""
    if ours.shape != theirs.shape or ours.is_floating_point() != theirs.is_floating_point():
        return told(theirs)
    return None if theirs.is_meta or bool(theirs.isfinite().all()) else "NaN or infinite"


def told(tensor: Tensor) -> str:
    """Type and shape of a tensor."""
    return f"{tensor.dtype} {tuple(tensor.shape)}"


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


def _fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Puts all tensors into the module, or none, whatever happens on the way."""
    own, before = module.state_dict(), dict[str, Tensor]()
    if any(tensor.is_meta for tensor in own.values()):
        fresh = {name: tensor.to(own[name].dtype, copy=True).contiguous() for name, tensor in state.items()}
        module.load_state_dict(fresh, assign=True)
        return
    try:
        for name, tensor in state.items():
            before[name] = own[name].clone()
            own[name].copy_(tensor)
    except BaseException:  # an interruption, too
        for name, kept in before.items():
            own[name].copy_(kept)
        raise
