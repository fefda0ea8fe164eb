"""CoOp pre-trained on many classes: the system and the training of `few_shot`."""

from crossmodal.recipes.few_shot.coop import SETTINGS as PUBLISHED
from crossmodal.recipes.few_shot.coop import coop as few_shot_coop

SETTINGS = PUBLISHED
"""Training of few clips; that of the published pre-trained rows is not documented."""

coop = few_shot_coop
