"""Training in several processes, which all run the same command: who prints and writes, and in which folder."""

import os

from pytorch_lightning.utilities.rank_zero import rank_zero_only

NAME = "CROSSMODAL_RUN_NAME"
"""Environment variable by which the first process tells those that it starts the name of the run."""


def is_first() -> bool:
    """Whether this process prints and writes: the only one, or the first of several."""
    return int(rank_zero_only.rank or 0) == 0


def shared_name(given: str | None, otherwise: str) -> str:
    """The name of the run, the same in all processes: as given, or `otherwise` in the first one.

    Raises `ValueError` where other processes cannot know it: `torchrun` and its like start all of them alone.
    """
    if given is None and not is_first():
        given = os.environ.get(NAME)
    if given is None and ("TORCHELASTIC_RUN_ID" in os.environ or not is_first()):
        raise ValueError("fit: several processes train one run: give all of them its --name.")
    os.environ[NAME] = name = given or otherwise
    return name
