"""Functions by name: ours by their own, anybody's by import path."""

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

OURS = {
    "dg_sct": "crossmodal.recipes.dg_sct.dg_sct",
    "dg_sct_released": "crossmodal.recipes.dg_sct_released.dg_sct_released",
    "lavish": "crossmodal.recipes.lavish.lavish",
    "lite": "crossmodal.recipes.lite.lite",
    "tiny": "crossmodal.recipes.ave.dg_sct.tiny",
    "full_size": "crossmodal.recipes.ave.dg_sct.full_size",
    "any_pair": "crossmodal.recipes.any_pair.any_pair",
    "careful_training": "crossmodal.training.settings.careful_training",
    "released_training": "crossmodal.recipes.ave.released_training.released_training",
}


def resolve(name: str, own: Mapping[str, str] = MappingProxyType({})) -> Callable[..., Any]:
    """The function of that name, `"dg_sct"`, or at that import path, `"mylab.recipes.mine"`.

    - `own`: names that win over ours, with their paths.

    Raises `ValueError` with near misses where there is none.
    """
    known = {**OURS, **own}
    module, _, attribute = known.get(name, name).rpartition(".")
    if not module:
        near = difflib.get_close_matches(name, known, n=1) or ["dg_sct"]
        raise ValueError(f"{name!r} is none of {', '.join(known)}; did you mean {near[0]!r}? A path has a dot in it.")
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be imported: {error}.") from error
    return found
