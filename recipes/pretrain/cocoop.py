"""CoCoOp pre-trained on many classes: the system and the training of `few_shot`."""

from crossmodal.recipes.few_shot.cocoop import SETTINGS as PUBLISHED
from crossmodal.recipes.few_shot.cocoop import cocoop as few_shot_cocoop

SETTINGS = PUBLISHED
"""Training of few clips; that of the published pre-trained rows is not documented."""

cocoop = few_shot_cocoop
