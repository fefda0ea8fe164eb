"""LAVisH with two encoders (the LAVisH* of DG-SCT's tables) on audio-visual segmentation.

Encoders, pyramid, gates, decoder and training are those of `crossmodal.recipes.avs.dg_sct`; only what couples the
encoders differs. Its code was not released.
"""

from functools import partial

from crossmodal.recipes.avs.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.avs.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish as couple_lavish

lavish = partial(dg_sct, coupling=couple_lavish)
"""Builds the system; the keywords are those of `dg_sct` and of the coupling."""
