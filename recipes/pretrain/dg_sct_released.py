"""DG-SCT as released, pre-trained on many classes: the system of `few_shot` with the numbers of pre-training."""

from functools import partial

from crossmodal.heads.matched_clips import released_quotient
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released
from crossmodal.recipes.few_shot.dg_sct import COUPLING
from crossmodal.recipes.few_shot.dg_sct_released import SETTINGS as PUBLISHED
from crossmodal.recipes.few_shot.dg_sct_released import dg_sct_released as few_shot_dg_sct_released

SETTINGS = PUBLISHED
"""Published training: that of few clips, on all clips of VGGSound-AVEL40k."""

dg_sct_released = partial(
    few_shot_dg_sct_released,
    coupling=partial(couple_dg_sct_released, **{**COUPLING, "alpha": 0.3, "beta": 0.01}),
    rule=released_quotient,
)
