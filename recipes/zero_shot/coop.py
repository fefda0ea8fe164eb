"""CoOp on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.coop import coop as few_shot_coop
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

coop = few_shot_coop
