"""Plans of an injected model: which module is read, which is written to, and the state of one forward."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...adapters import Adapted
from ...site import Site
from .globs import fill, match, near
from .probe import ProbedModule
from .tensor_layout import TensorLayout


@dataclass(frozen=True)
class HookPlan:
    """Plan for one adapter: its residual is computed from the input of `source` and added to the output of `name`.

    Attributes:
        name: Module that is written to.
        pattern: The pattern that matched it.
        source: Module whose input is read.
        reads: Layout of the input of `source`.
        writes: Layout of the output of `name`.
    """

    name: str
    pattern: str
    source: str
    reads: TensorLayout
    writes: TensorLayout

    @property
    def key(self) -> str:
        """The key under which the adapter is registered."""
        return self.name.replace(".", "_")


@dataclass
class HookState:
    """State of one guided forward.

    Attributes:
        guide: The guide; `None` where there is none.
        rows: The frames that have one; `None`: all.
        residuals: Those that are not added yet, by module.
    """

    guide: Tensor | None
    rows: Tensor | None = None
    residuals: dict[str, list[Tensor]] = field(default_factory=dict)

    def put(self, plan: HookPlan, residual: Tensor) -> None:
        """Keeps a residual until the module of `plan` returns."""
        self.residuals.setdefault(plan.name, []).append(residual)

    def take(self, plan: HookPlan) -> Tensor:
        """Returns the residual for the module that returns now; raises `RuntimeError` where its source has not run."""
        if not self.residuals.get(plan.name):
            raise RuntimeError(
                f"Injected: {plan.name!r} has returned, but {plan.source!r}, whose input its adapter reads, has not "
                "run; read at a module that runs before (reads=...)."
            )
        return self.residuals[plan.name].pop()

    def check_spent(self) -> None:
        """Raises `RuntimeError` where a residual was computed and never added."""
        for name, left in self.residuals.items():
            if left:
                raise RuntimeError(
                    f"Injected: {len(left)} residuals for {name!r} were computed and never added: what its adapter "
                    f"reads runs more often than {name!r}; read at another module (reads=...)."
                )


def plan_hooks(
    patterns: Collection[str], probed: Mapping[str, ProbedModule], reads: Mapping[str, str]
) -> dict[str, HookPlan]:
    """Plans which module reads and which is written to.

    Args:
        patterns: Globs over module names; each must match, and no module twice.
        probed: The modules that ran in the probe.
        reads: Pattern → glob of the module that is read instead.

    Returns:
        Name of the module written to → its plan, in the order of `probed`.

    Raises:
        ValueError: If a pattern matches nothing, a module is matched twice, no stream flows, or sizes differ.
    """
    for stray in [pattern for pattern in reads if pattern not in patterns]:
        raise ValueError(f"Injected: reads[{stray!r}] belongs to no adapter; the patterns are {list(patterns)}.")
    found: dict[str, tuple[str, str]] = {}
    for pattern in patterns:
        matches = match(pattern, probed)
        if not matches:
            raise ValueError(
                f"Injected: pattern {pattern!r} matches no module that ran in the probe; {near(pattern, probed)}."
            )
        for name, stand_for in matches.items():
            if name in found:
                raise ValueError(
                    f"Injected: {name!r} is matched by {found[name][0]!r} and by {pattern!r}; a module takes one "
                    "adapter."
                )
            found[name] = pattern, fill(reads[pattern], stand_for) if pattern in reads else name
    plans = {name: _plan(*found[name], name, probed) for name in probed if name in found}
    if len({plan.key for plan in plans.values()}) != len(plans):
        raise ValueError(f"Injected: two of {list(plans)} become one key when '.' is written '_'; rename a module.")
    return plans


def _plan(pattern: str, source: str, name: str, probed: Mapping[str, ProbedModule]) -> HookPlan:
    if source not in probed:
        raise ValueError(
            f"Injected: {source!r}, which {pattern!r} reads, did not run in the probe; {near(source, probed)}."
        )
    reads, writes = probed[source].reads, probed[name].writes
    if reads is None:
        raise ValueError(
            f"Injected: no stream flows into {source!r}, which {pattern!r} reads: {why_not(probed[source], 0)}."
        )
    if writes is None:
        raise ValueError(
            f"Injected: no stream flows out of {name!r}, which {pattern!r} matches: {why_not(probed[name], 1)}."
        )
    if (reads.frames, reads.tokens, reads.width) != (writes.frames, writes.tokens, writes.width):
        raise ValueError(
            f"Injected: {source!r} takes a stream of {_size(reads)}, but {name!r} gives one of {_size(writes)}, and a "
            "residual has the size of the stream that its adapter reads; name another module in reads=..., or write "
            "elsewhere."
        )
    return HookPlan(name, pattern, source, reads, writes)


def _size(layout: TensorLayout) -> str:
    return f"{layout.frames} frames, {layout.tokens} tokens, {layout.width} channels"


def why_not(probed: ProbedModule, side: int) -> str:
    """Returns, for an error message, why a module has no layout on one side (0: in, 1: out)."""
    shapes = list(dict.fromkeys(pair[side] for pair in probed.shapes))
    if shapes == [None]:
        return "it is no tensor"
    if len(shapes) > 1:
        return f"it runs several times, with shapes {', '.join(map(str, shapes))}"
    if shapes[0] is not None and len(shapes[0]) == 4:
        return (
            f"in the shape {shapes[0]} channels may come first or last; call sites() with a picture that is not square"
        )
    return f"the shape {shapes[0]} is neither (frame, token, channel) nor a grid of channels"


def check_guide(site: Site, guide: Tensor, *, detached: bool) -> None:
    """Raises `ValueError` for a guide that does not look like its site, `RuntimeError` after `detach()`."""
    if detached:
        raise RuntimeError("Injected: detach() has taken the hooks off; build a new Injected to guide the model again.")
    if guide.ndim != 3 or guide.shape[-1] != site.width:
        raise ValueError(
            f"Injected: guide has shape {tuple(guide.shape)}, but the guide {site.name!r} is (frame, guide_token, "
            f"{site.width}); a vector a frame is one token: guide[:, None]."
        )


def guided_rows(guide: Tensor, present: Tensor | None) -> Tensor | None:
    """Returns the frames that have a guide, `None` for all; raises `ValueError` for another kind or length of mask."""
    if present is None:
        return None
    if present.dtype != torch.bool or present.shape != guide.shape[:1]:
        raise ValueError(
            f"Injected: present is {present.dtype} {tuple(present.shape)}, but guide has {len(guide)} frames: give one "
            "bool a frame."
        )
    return None if present.all() else present.nonzero()[:, 0]


def check_meeting(plan: HookPlan, stream: Tensor, guide: Tensor) -> None:
    """Raises where stream and guide differ in frames (`ValueError`), device or dtype (`TypeError`)."""
    if len(guide) != len(stream):
        raise ValueError(
            f"Injected: guide has {len(guide)} frames, but the stream into {plan.source!r} has {len(stream)}; each "
            "frame needs its own (a module that folds windows into its frames cannot be guided)."
        )
    if guide.device != stream.device:
        raise TypeError(
            f"Injected: guide is on {guide.device}, but the stream into {plan.source!r} on {stream.device}; bring "
            "them together with .to(...)."
        )
    # there is no autocast on meta: asking for it raises
    autocast = stream.device.type != "meta" and torch.is_autocast_enabled(stream.device.type)
    if guide.dtype != stream.dtype and not autocast:
        raise TypeError(
            f"Injected: guide is {guide.dtype}, but the stream into {plan.source!r} is {stream.dtype}; bring them to "
            "one dtype with .to(...)."
        )


def check_adapted(plan: HookPlan, stream: Tensor, adapted: object) -> None:
    """Raises `TypeError` or `ValueError` where an adapter breaks its contract."""
    if not isinstance(adapted, Adapted):
        raise TypeError(
            f"Injected: the adapter of {plan.name!r} returned {type(adapted).__name__}; an adapter returns "
            "Adapted(residual, maps)."
        )
    if adapted.residual.shape != stream.shape:
        raise ValueError(
            f"Injected: the adapter of {plan.name!r} returned a residual of shape {tuple(adapted.residual.shape)} for "
            f"a stream of shape {tuple(stream.shape)}; they must be the same."
        )
