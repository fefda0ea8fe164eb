"""LAVisH with two encoders (the LAVisH* of DG-SCT's tables) on audio-visual event localisation.

Encoders, heads and training are those of `crossmodal.recipes.ave.dg_sct`; only what couples the encoders differs.
"""

from functools import partial

from crossmodal.recipes.ave.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish as couple_lavish

lavish = partial(dg_sct, coupling=couple_lavish)
"""Builds the system; the keywords are those of `dg_sct` and of the coupling."""
