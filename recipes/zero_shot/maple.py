"""MaPLe on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.maple import maple as few_shot_maple
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

maple = few_shot_maple
