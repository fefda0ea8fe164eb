"""CMRAN on audio-visual event localisation, weakly supervised: the clip's logits times the relevance of every second.

Source: the weak form of the released code of Xu et al., ACM MM 2020; all else as in `crossmodal.recipes.ave.cmran`.
The published loss is `supervision=partial(WeakSupervision, clip_margin)`.
"""

from functools import partial

from crossmodal.heads.cross_encoding import ProductInteraction
from crossmodal.heads.objectives import WeakSupervision
from crossmodal.recipes.ave.cmran import cmran
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 5e-4, "schedule": partial(MultiStep, epochs=200, milestones=(5, 20, 40))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.5},
    data={"batch_size": 32},
    seed=666,
)
"""Published training, Adam."""
QUICK = Settings(optim={"lr": 5e-4})  # as published: the quick rate of the task is DG-SCT's

cmran_weak = partial(cmran, supervision=WeakSupervision, interaction=partial(ProductInteraction, heads=2))
"""Builds the system; the keywords are those of `cmran`."""
