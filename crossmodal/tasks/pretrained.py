"""What a system learned in another run, such as one of `pretrain`, loaded into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, TypeVar

from torch import nn

from crossmodal.checkpoints import adapter_state, load_converted

AnyModule = TypeVar("AnyModule", bound=nn.Module)
LEARNED = "adapters.safetensors"
"""Name of the file in the folder of a run."""
BEGAN_WITH = "began_with"
"""Attribute of a system that began with another run's weights: its `Beginning`."""
_IS_READ = ContextVar("what another run learned is read", default=True)


class Beginning(NamedTuple):
    """What a system began with.

    Attributes:
        path: As it was given.
        learned: Names of the tensors that were learned there.
    """

    path: Path
    learned: frozenset[str]


def with_pretrained(system: AnyModule, pretrained: str | Path | None) -> AnyModule:
    """Loads what an equal system learned on other classes, in the system's own precision, and returns the system.

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
    setattr(system, BEGAN_WITH, Beginning(file, frozenset(adapter_state(system))))
    if _IS_READ.get():
        load_converted(system, file / LEARNED if file.is_dir() else file)
    return system


@contextmanager
def beginnings_unread() -> Iterator[None]:
    """Lets systems that are built inside begin without another run's weights, because those of a finished run follow.

    So a run can be tested and used when the run that it began with is gone. `is_replaced` says whether all follow.
    """
    before = _IS_READ.set(False)
    try:
        yield
    finally:
        _IS_READ.reset(before)


def is_replaced(system: nn.Module) -> bool:
    """Returns whether the system's own adapters hold all that it began with; where it froze a part, they do not."""
    began: Beginning | None = getattr(system, BEGAN_WITH, None)
    return began is None or began.learned <= adapter_state(system).keys()
