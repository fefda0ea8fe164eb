"""MaPLe pre-trained on many classes: the system and the training of `few_shot`."""

from crossmodal.recipes.few_shot.maple import SETTINGS as PUBLISHED
from crossmodal.recipes.few_shot.maple import maple as few_shot_maple

SETTINGS = PUBLISHED
"""Training of few clips; that of the published pre-trained rows is not documented."""

maple = few_shot_maple
