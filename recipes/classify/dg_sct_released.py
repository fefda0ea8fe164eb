"""DG-SCT as its authors' code couples encoders, on the classification of clips.

Encoders, head and training are those of `crossmodal.recipes.classify.dg_sct`; only what couples the encoders differs.
"""

from functools import partial

from crossmodal.recipes.classify.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.classify.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released as couple_dg_sct_released

dg_sct_released = partial(dg_sct, coupling=couple_dg_sct_released)
"""Builds the system; the keywords are those of `dg_sct` and of the coupling."""
