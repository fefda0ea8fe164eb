"""What a system learned in another run, such as one of `pretrain`, loaded into it."""

from pathlib import Path
from typing import TypeVar

from torch import nn

from crossmodal.checkpoints import load_converted

AnyModule = TypeVar("AnyModule", bound=nn.Module)
LEARNED = "adapters.safetensors"
"""Name of the file in the folder of a run."""


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
    load_converted(system, file / LEARNED if file.is_dir() else file)
    return system
