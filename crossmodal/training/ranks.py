"""Ranks of a training in several processes that run the same command: who prints, and the shared name of the run."""

import os
from typing import TypeVar, cast

import torch.distributed
from lightning_utilities.core.rank_zero import rank_zero_only

T = TypeVar("T")

NAME = "CROSSMODAL_RUN_NAME"
"""Environment variable by which the first process tells those that it starts the name of the run."""


def is_first() -> bool:
    """Returns whether this process prints and writes: the only one, or the first of several."""
    return int(getattr(rank_zero_only, "rank", None) or 0) == 0  # Lightning sets it on the function


def shared_name(given: str | None, otherwise: str) -> str:
    """Returns the name of the run, the same in all processes: as given, or `otherwise` in the first one.

    Raises:
        ValueError: If other processes cannot know it: `torchrun` and its like start all of them alone.
    """
    if given is None and not is_first():
        given = os.environ.get(NAME)
    # torchrun starts all processes side by side: none inherits a name from the first
    if given is None and ("TORCHELASTIC_RUN_ID" in os.environ or not is_first()):
        raise ValueError("fit: several processes train one run: give all of them its --name.")
    name = given or otherwise
    share_name(name)
    return name


def share_name(name: str) -> None:
    """Tells the processes that this one starts the name of the run."""
    os.environ[NAME] = name


def gather_objects(value: T) -> list[T]:
    """Returns the values of all processes, by rank; that of this one alone where there are no others."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    parts: list[T | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, value)
    return cast(list[T], parts)
