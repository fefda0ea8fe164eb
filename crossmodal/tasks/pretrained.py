"""What a system learned in another run, such as one of `pretrain`, loaded into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from torch import nn

from crossmodal.checkpoints import load_converted

AnyModule = TypeVar("AnyModule", bound=nn.Module)
LEARNED = "adapters.safetensors"
"""Name of the file in the folder of a run."""
BEGAN_WITH = "began_with"
"""Attribute of a system: the path that it was given here."""
_IS_READ = ContextVar("what another run learned is read", default=True)


def with_pretrained(system: AnyModule, pretrained: str | Path | None) -> AnyModule:
    """Loads what an equal system learned on other classes, in the system's own precision, and returns the system.

    The system keeps the path as `began_with`, so that a shared folder can leave it out.

    Args:
        system: The system; prompts must be shared by its classes.
        pretrained: Folder of a run, or its file of adapters; `None` leaves the system as it is.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: With a table, if it is of another system, as `load_adapters` does.
    """
    if pretrained is None:
        return system
    file = Path(pretrained)
    setattr(system, BEGAN_WITH, file)
    if not _IS_READ.get():
        return system
    load_converted(system, file / LEARNED if file.is_dir() else file)
    return system


@contextmanager
def all_learned_follows() -> Iterator[None]:
    """Lets systems that are built inside begin without another run's weights: those of a finished run replace them all.

    So a run can be tested and used when the run that it began with is gone.
    """
    before = _IS_READ.set(False)
    try:
        yield
    finally:
        _IS_READ.reset(before)
