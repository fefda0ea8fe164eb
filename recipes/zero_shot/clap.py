"""CLAP alone on classes of which it has seen no clip: the system of `few_shot`."""

from crossmodal.recipes.few_shot.clap import clap as few_shot_clap
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""

clap = few_shot_clap
