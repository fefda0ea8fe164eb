"""DG-SCT at little more than the cost of the frozen encoders on the classification of clips.

Encoders, heads and training are those of `crossmodal.recipes.classify.dg_sct`; only what couples the encoders differs.
"""

from functools import partial

from crossmodal.recipes.classify.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.classify.dg_sct import dg_sct
from crossmodal.recipes.lite import lite as couple_lite

lite = partial(dg_sct, coupling=couple_lite)
"""Builds the system; the keywords are those of `dg_sct` and of the coupling."""
