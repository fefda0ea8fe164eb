"""AVEL with attention, weakly supervised: it learns from what a clip shows, and is asked when.

The scores of `crossmodal.recipes.ave.avel`, pooled over time by the maximum, are trained against the clip's label. The
released code does so; its paper takes the mean over time: `objective=mean_cross_entropy`. The
published loss is `objective=clip_margin`. Training clips of AVE's weak setting include 178 of background, which are in
the published `.h5` files alone.
"""

from functools import partial

from crossmodal.heads.objectives import clip_cross_entropy
from crossmodal.recipes.ave.avel import avel
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(
    optim={"lr": 1e-3, "decay": 1.0, "every": 250}, trainer={"max_epochs": 250}, data={"batch_size": 64}
)
"""Published training: Adam at one rate."""
QUICK = Settings(optim={"lr": 1e-3})  # as published: the quick rate of the task is DG-SCT's

avel_weak = partial(avel, objective=clip_cross_entropy)
"""Builds the system; the keywords are those of `avel`."""
