"""Modules of an optional install, imported where they are needed and missed in words."""

import importlib
from types import ModuleType


def need(module: str, reader: str) -> ModuleType:
    """Imports `module` for `reader`. Raises `ImportError` naming both and the install command."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{reader} needs the module {module!r} ({error}): pip install "crossmodal-blocks[recipes]".'
        ) from error
