"""Modules of an optional install, imported where they are needed."""

import importlib
from types import ModuleType

from crossmodal.installed_by import installed_by


def need(module: str, reader: str) -> ModuleType:
    """Imports a module of an extra.

    Args:
        module: The module.
        reader: Function or command that needs it, named in the error.

    Raises:
        ImportError: If it cannot be imported, naming both and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module if isinstance(error, ModuleNotFoundError) else module
        raise ImportError(f"{reader} needs the module {module!r} ({error}): {installed_by(missing)}.") from error
