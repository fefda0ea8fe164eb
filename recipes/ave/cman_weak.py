"""CMAN on audio-visual event localisation, weakly supervised: A RECONSTRUCTION, as `crossmodal.recipes.ave.cman`.

The scores of every second, averaged over time, are trained against the clip's label.
"""

from functools import partial

from crossmodal.heads.objectives import mean_cross_entropy
from crossmodal.recipes.ave.cman import QUICK as QUICK
from crossmodal.recipes.ave.cman import SETTINGS as SETTINGS
from crossmodal.recipes.ave.cman import cman

cman_weak = partial(cman, objective=mean_cross_entropy)
"""Builds the system; the keywords are those of `cman`."""
