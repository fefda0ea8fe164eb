"""CLIP-Adapter pre-trained on many classes: the system and the training of `few_shot`."""

from crossmodal.recipes.few_shot.clip_adapter import SETTINGS as PUBLISHED
from crossmodal.recipes.few_shot.clip_adapter import clip_adapter as few_shot_clip_adapter

SETTINGS = PUBLISHED
"""Training of few clips; that of the published pre-trained rows is not documented."""

clip_adapter = few_shot_clip_adapter
