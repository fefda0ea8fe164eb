"""Strict loading with key mapping: every tensor of a file is mapped or dropped with a reason, and every own one filled.

Otherwise nothing is loaded and the error lists the differences, tensor by tensor.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from torch import Tensor, nn

from .diff_table import Difference, diff_table, dtype_and_shape
from .raw_checkpoint import RawCheckpoint, Weights, looks_like, read_weights
from .rules import Dropped, Finding, Rule, part_rule


@dataclass(frozen=True)
class Imported:
    """The report of an import: what became of every tensor of a file; `str` of it is a table.

    Attributes:
        source: The file.
        layout: Whose names the file has.
        mapped: Name in the model → name in the file; one fused tensor fills several of ours.
        dropped: Name in the file → the reason why it has no place in the model.
        differences: Tensors that are missing, unknown or do not fit; empty after an import that succeeded.
        notes: How the tensors were found in the file, and what they say about themselves.
    """

    source: str
    layout: str
    mapped: Mapping[str, str]
    dropped: Mapping[str, str]
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Tensors of the model that the file does not fill."""
        return tuple(entry.name for entry in self.differences if entry.in_the_file is None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names in the file that no rule maps or drops."""
        return tuple(entry.name for entry in self.differences if entry.in_this_model is None)

    def __str__(self) -> str:
        reasons: dict[str, list[str]] = defaultdict(list)
        for name, reason in self.dropped.items():
            reasons[reason].append(name)
        lines = [f"{self.source}: {self.layout}", *(f"  {note}" for note in self.notes)]
        lines.append(
            f"  mapped   {len(set(self.mapped.values()))} tensors of the file to {len(self.mapped)} of the model"
        )
        for reason, names in reasons.items():
            lines.append(f"  dropped  {len(names)}: {reason} ({', '.join(abbreviate(names))})")
        lines.append(f"  missing  {len(self.missing)}")
        return diff_table("\n".join(lines), self.differences) if self.differences else "\n".join(lines)


def load_part(
    module: nn.Module,
    weights: Weights,
    layout_of: Callable[[Iterable[str]], tuple[str, Rule]],
    *,
    prefix: str,
    others: Dropped,
    importer: str,
) -> Imported:
    """Fills one part of a model from a file of the whole, by `load_strict`.

    Args:
        module: The part, or the whole model.
        weights: A file, or what else `read_weights` takes.
        layout_of: Recognises the layout of a file by its names; returns its title and the rule of the whole model.
        prefix: Of our names of the part; empty for the whole model.
        others: What becomes of tensors of other parts.
        importer: The public function that errors name.
    """
    checkpoint = read_weights(weights)
    layout, rule = layout_of(checkpoint.tensors)
    return load_strict(module, checkpoint, part_rule(rule, prefix, others), layout=layout, importer=importer)


def load_strict(module: nn.Module, checkpoint: RawCheckpoint, rule: Rule, *, layout: str, importer: str) -> Imported:
    """Fills `module` with the tensors of a checkpoint, or raises and leaves it as it was.

    Floating point is converted to the dtype of the model; a model on the meta device gets new tensors on the CPU.

    Args:
        module: The module to fill.
        checkpoint: Tensors as the file names them.
        rule: Maps or drops each of them.
        layout: Whose names the rule knows, for the report.
        importer: The public function that errors name.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: If the file has another layout, or a tensor is missing, left over, of another shape, not finite, or
            too large for the dtype of the model.
    """
    tensors = checkpoint.tensors
    if not any(isinstance(rule(name, tensor), Mapping) for name, tensor in tensors.items()):
        raise ValueError(
            f"{importer}: {checkpoint.source} is no {layout} checkpoint: none of its {len(tensors)} names is one of "
            f"such a file (its first: {', '.join(list(tensors)[:3])}).{looks_like(tensors)}"
        )
    state, report, findings = compare(module, checkpoint, rule, layout=layout)
    if report.differences:
        other = looks_like(tensors)
        raise ValueError(
            f"{importer}: the file does not fit this {type(module).__name__}, nothing was loaded."
            f"{'' if importer in other else other}\n{report}"
        )
    _fill(module, state)
    for finding in findings:
        if finding.apply is not None:
            finding.apply()
    return report


def compare(
    module: nn.Module, checkpoint: RawCheckpoint, rule: Rule, *, layout: str
) -> tuple[dict[str, Tensor], Imported, list[Finding]]:
    """Maps the tensors of a checkpoint and compares them with those of `module`, which does not change.

    Returns:
        The tensors by our names, the report, and what dropped tensors say about modules.
    """
    own = module.state_dict()
    state: dict[str, Tensor] = {}
    mapped: dict[str, str] = {}
    dropped: dict[str, str] = {}
    differences: list[Difference] = []
    findings: dict[str, Finding] = {}
    for name, tensor in checkpoint.tensors.items():
        result = rule(name, tensor)
        if isinstance(result, Dropped):
            dropped[name] = result.reason
            if (found := _finding(module, result, tensor)) is not None:
                findings[name] = found
                differences += [Difference(name, *found.clash)] if found.clash else []
        elif result is None or not result.keys() <= own.keys():
            differences.append(Difference(name, dtype_and_shape(tensor), None))
        else:
            for ours, part in result.items():
                there = f"twice, as {mapped[ours]} too" if ours in mapped else _misfit(part, own[ours])
                differences += [Difference(f"{ours} ← {name}", there, dtype_and_shape(own[ours]))] if there else []
                state[ours], mapped[ours] = part, name
    differences += [Difference(name, None, dtype_and_shape(own[name])) for name in own if name not in mapped]
    notes = (*checkpoint.notes, *_noted(findings))
    report = Imported(checkpoint.source, layout, mapped, dropped, tuple(differences), notes)
    return state, report, list(findings.values())


def _finding(module: nn.Module, dropped: Dropped, tensor: Tensor) -> Finding | None:
    """Returns what a dropped tensor says about a module; nothing where the model has no such module."""
    part = dict(module.named_modules()).get(dropped.module) if dropped.module else None
    return None if part is None or dropped.reads is None else dropped.reads(part, tensor)


def _noted(findings: Mapping[str, Finding]) -> list[str]:
    """Returns the notes of findings, one for all tensors that say the same."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, finding in findings.items():
        names[finding.note].append(name)
    return [f"{note} ({len(of)}: {', '.join(abbreviate(of))})" for note, of in names.items() if note]


@contextmanager
def restore_on_error(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Gives tensors their values back when the block raises anything, `KeyboardInterrupt` included."""
    before = [(tensor, tensor.clone()) for tensor in tensors]
    try:
        yield
    except BaseException:
        for tensor, values in before:
            with suppress(RuntimeError):  # a tensor that cannot be written was not changed either
                tensor.copy_(values)
        raise


def abbreviate(names: Iterable[str], kinds: int = 4) -> list[str]:
    """Abbreviates names to at most `kinds` patterns: numbers become `*`, then ends are cut off."""
    parts = [re.sub(r"(?<=\.)\d+(?=\.|$)", "*", name).split(".") for name in names]
    for depth in range(max(map(len, parts), default=0), 0, -1):
        cut = [".".join(part[:depth]) + ("…" if len(part) > depth else "") for part in parts]
        if len(set(cut)) <= kinds:
            return list(dict.fromkeys(cut))
    return [f"{parts[0][0]}…"] if parts else []


def _misfit(theirs: Tensor, ours: Tensor) -> str | None:
    """Describes why a tensor cannot fill one of ours; `None` if it can."""
    if ours.shape != theirs.shape or ours.is_floating_point() != theirs.is_floating_point():
        return dtype_and_shape(theirs)
    if theirs.is_meta:
        return None
    if not theirs.isfinite().all():
        return "NaN or infinite"
    fits = bool(theirs.to(ours.dtype).isfinite().all())
    return None if fits else f"{dtype_and_shape(theirs)}, up to {float(theirs.abs().max()):.4g}: too large"


def _fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies all tensors into the module, or none."""
    own = module.state_dict()
    if any(tensor.is_meta for tensor in own.values()):
        # copied, for the tensors of a checkpoint are the caller's, or lie in a mapped file
        fresh = {name: tensor.to(own[name].dtype, copy=True).contiguous() for name, tensor in state.items()}
        module.load_state_dict(fresh, assign=True)
        return
    with restore_on_error(own[name] for name in state):
        for name, tensor in state.items():
            # in place: whoever holds these parameters, an optimizer for one, holds them still
            own[name].copy_(tensor)
