"""CLIP-Adapter on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.clip_adapter import clip_adapter as few_shot_clip_adapter
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

clip_adapter = few_shot_clip_adapter
