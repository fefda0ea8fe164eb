"""CMAN on audio-visual event localisation, weakly supervised: A RECONSTRUCTION, as `crossmodal.recipes.ave.cman`.

The scores of every second, averaged over time, are trained against the clip's label.
"""

from functools import partial

from crossmodal.heads.objectives import clip_cross_entropy, over_mean
from crossmodal.recipes.ave.cman import SETTINGS as SETTINGS
from crossmodal.recipes.ave.cman import cman

cman_weak = partial(cman, objective=partial(clip_cross_entropy, pool=over_mean))
"""Builds the system; the keywords are those of `cman`."""
