"""Modules of an optional install, imported where they are needed."""

import importlib
from types import ModuleType


def need(module: str, reader: str) -> ModuleType:
    """Imports a module of the extra `recipes`.

    Args:
        module: The module.
        reader: Function or command that needs it, named in the error.

    Raises:
        ImportError: If it cannot be imported, naming both and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{reader} needs the module {module!r} ({error}): pip install "crossmodal-blocks[recipes]".'
        ) from error
