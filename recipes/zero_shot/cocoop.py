"""CoCoOp on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.cocoop import cocoop as few_shot_cocoop
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

cocoop = few_shot_cocoop
