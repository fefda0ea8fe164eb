"""DG-SCT as released on classes of which it has seen no clip: the system of `few_shot`."""

from functools import partial

from crossmodal.heads.matched_clips import released_quotient
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.recipes.few_shot.dg_sct import COUPLING
from crossmodal.recipes.few_shot.dg_sct_released import dg_sct_released as few_shot_dg_sct_released
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

dg_sct_released = partial(
    few_shot_dg_sct_released,
    coupling=partial(couple_dg_sct_released, **{**COUPLING, "alpha": 0.3, "beta": 0.01}),
    rule=released_quotient,
)
