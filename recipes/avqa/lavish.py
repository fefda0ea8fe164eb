"""LAVisH with two encoders (the LAVisH* of DG-SCT's tables) on audio-visual questions.

Encoders, head and training are those of `crossmodal.recipes.avqa.dg_sct`; only what couples the encoders differs. The
code of this form was never released: its structure follows from its size.
"""

from functools import partial

from crossmodal.recipes.avqa.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.avqa.dg_sct import STAGES as STAGES
from crossmodal.recipes.avqa.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish as couple_lavish

lavish = partial(dg_sct, coupling=couple_lavish)
"""Builds the system; the keywords are those of `dg_sct` and of the coupling."""
