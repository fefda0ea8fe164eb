"""CLIP alone on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.clip import clip as few_shot_clip
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

clip = few_shot_clip
