"""DG-SCT on classes of which it has seen no clip: the system of `few_shot`."""

from functools import partial

from crossmodal.heads.matched_clips import weighed_by_size
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.recipes.few_shot.dg_sct import COUPLING
from crossmodal.recipes.few_shot.dg_sct import dg_sct as few_shot_dg_sct
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

dg_sct = partial(
    few_shot_dg_sct,
    coupling=partial(couple_dg_sct, **{**COUPLING, "alpha": 0.3, "beta": 0.01}),
    rule=weighed_by_size,
)
