"""The ways to run one training step that are counted, and whose memory is measured."""

from collections.abc import Callable, Mapping

from crossmodal.injection import Lockstep, checkpointed, fast_linears, recomputed
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lite import lite
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.event_system import AudioVisualEvents

from .direct import direct
from .setting import Setting


def plain(lockstep: Lockstep) -> Lockstep:
    """As it is."""
    return lockstep


VARIANTS: Mapping[str, tuple[Coupling, Callable[[Lockstep], Lockstep]]] = {
    "evaluated directly": (direct, plain),
    "`dg_sct_released`": (dg_sct_released, plain),
    "the same, `recomputed`": (dg_sct_released, recomputed),
    "the same, `checkpointed`": (dg_sct_released, checkpointed),
    "`dg_sct`": (dg_sct, plain),
    "`dg_sct`, `recomputed`": (dg_sct, recomputed),
    "`lite`": (lite, plain),
    "`lite`, `recomputed`": (lite, recomputed),
}
"""Name → the recipe, and what is done to its lockstep from outside."""


def built(name: str, setting: Setting, *, device: str | None = None) -> AudioVisualEvents:
    """The model of a variant; all but the direct evaluation with `fast_linears`."""
    recipe, outside = VARIANTS[name]
    model = setting.model(recipe, device=device)
    model.coupled = outside(model.coupled)
    return model if recipe is direct else fast_linears(model)
