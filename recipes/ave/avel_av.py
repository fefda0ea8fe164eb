"""AVEL without attention on audio-visual event localisation: the mean of the visual map in the place of the attended.

Source: the audio-visual row of Tian et al., ECCV 2018, after published notes of the paper; all else is its released
code, as in `crossmodal.recipes.ave.avel`.
"""

from functools import partial

from crossmodal.heads.additive import MeanAttention
from crossmodal.recipes.ave.avel import QUICK as QUICK
from crossmodal.recipes.ave.avel import SETTINGS as SETTINGS
from crossmodal.recipes.ave.avel import avel

avel_av = partial(avel, attention=MeanAttention)
"""Builds the system; the keywords are those of `avel`."""
