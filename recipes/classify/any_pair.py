"""DG-SCT on the classification of clips, between any two encoders.

Nothing is learned for one grid, and blocks meet at the same relative depth: `crossmodal.recipes.any_pair`.
"""

from functools import partial

from crossmodal.recipes.any_pair import any_pair as couple_any_pair
from crossmodal.recipes.classify.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.classify.dg_sct import dg_sct

any_pair = partial(dg_sct, coupling=couple_any_pair)
"""Builds the system; `visual` and `audio` may be `timm:NAME`, `torchvision:NAME` or `transformers:FOLDER`."""
