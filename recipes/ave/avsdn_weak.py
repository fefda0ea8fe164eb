"""AVSDN as CPSP re-implemented it, weakly supervised: the clip's logits times the relevance of every second.

Source: jasongief/CPSP, as `crossmodal.recipes.ave.avsdn`. CPSP drops background and its clips; here background is a
label of clips, as in AVE's weak setting. The published loss is `supervision=partial(WeakSupervision, clip_margin)`.
"""

from functools import partial

from crossmodal.heads.objectives import WeakSupervision
from crossmodal.recipes.ave.avsdn import QUICK as QUICK
from crossmodal.recipes.ave.avsdn import SETTINGS as SETTINGS
from crossmodal.recipes.ave.avsdn import avsdn

avsdn_weak = partial(avsdn, supervision=WeakSupervision)
"""Builds the system; the keywords are those of `avsdn`."""
