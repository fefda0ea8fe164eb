"""What lies between the layers of a CLIP's MLPs: OpenAI trained with QuickGELU, LAION with GELU, by the same names."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import nn

from ..self_attention import Activation, QuickGELU
from .backbone import logger

ACTIVATIONS: dict[str, Activation] = {"quick_gelu": QuickGELU, "gelu": nn.GELU}
"""Name in a configuration of transformers → what it builds."""
OPENAI_SIZES = ("input_resolution", "context_length", "vocab_size")
"""Tensors that only OpenAI's own files hold."""


def clip_activation(weights: str | Path | None) -> Activation:
    """Returns what a file of CLIP's weights was trained with, as the configuration beside it says; else QuickGELU.

    Read are `config.json` of transformers and `open_clip_config.json`.

    Args:
        weights: A file; anything else stands for OpenAI's.

    Raises:
        ValueError: If the configuration is no JSON, or names another activation, or two.
    """
    if weights is None or not Path(weights).is_file():  # the name of a released file, or one that is missing
        return QuickGELU
    folder = Path(weights).parent
    towers = [_read(folder / "config.json").get(f"{tower}_config") for tower in ("vision", "text")]
    # transformers leaves out what is its default
    found = {str(tower.get("hidden_act", "quick_gelu")) for tower in towers if isinstance(tower, dict)}
    if not found and isinstance(of_open_clip := _read(folder / "open_clip_config.json").get("model_cfg"), dict):
        found = {"quick_gelu" if of_open_clip.get("quick_gelu") else "gelu"}
    if strange := found - ACTIVATIONS.keys() or (found if len(found) > 1 else set()):
        raise ValueError(
            f"clip: the configuration beside {weights} names {', '.join(sorted(strange))} between the layers of its "
            f"MLPs, expected one of {', '.join(ACTIVATIONS)}."
        )
    return ACTIVATIONS[found.pop()] if found else QuickGELU


def marked(model: Any, activation: Activation) -> Any:
    """Returns a model that says of itself if its activation is another than OpenAI's, so that a run can be held to it.

    Its weights do not tell, and neither does their fingerprint.
    """
    if activation is not QuickGELU:
        model.trained_activation = next(name for name, known in ACTIVATIONS.items() if known is activation)
    return model


def warn_of_activation(weights: str | Path | None, names: Collection[str]) -> None:
    """Warns where nothing says whether a file is OpenAI's.

    Args:
        weights: The file; the name of a released one is known.
        names: Of its tensors.
    """
    if weights is None or not Path(weights).is_file() or any(name in names for name in OPENAI_SIZES):
        return
    if not any((Path(weights).parent / file).is_file() for file in ("config.json", "open_clip_config.json")):
        logger.warning(
            "%s is read as OpenAI's CLIP, whose MLPs have QuickGELU. Those of LAION's OpenCLIP have GELU, by the same "
            "names: if it is one of them, put its config.json or open_clip_config.json beside it.",
            weights,
        )


def _read(file: Path) -> dict[str, Any]:
    """Reads a configuration; empty where there is none."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"clip: {file} is no JSON ({error}): get it again.") from error
    return found if isinstance(found, dict) else {}
