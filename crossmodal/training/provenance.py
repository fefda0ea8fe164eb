"""What the adapter file of a run belongs to: written into its header, and compared when it is loaded."""

import json
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from torch import nn

from crossmodal.checkpoints import adapter_state
from crossmodal.injection import fingerprint
from crossmodal.tasks.coupled_system import AudioVisual
from crossmodal.training.options import read_options
from crossmodal.training.run_folder import CONFIG


def belonging(run: Path, given: Namespace, model: AudioVisual) -> dict[str, Any]:
    """Recipe, size and classes, the recipe's arguments as `config.yaml` writes them, the front end, and a fingerprint
    of the frozen encoders, without what training moves in them: an adapter is worth nothing where one is another."""
    encoders = model.coupled.encoders
    return {
        "recipe": given.recipe,
        "size": given.size,
        "classes": json.dumps(model.classes),
        "arguments": read_options(run / CONFIG).get("model", {}),
        "front_end": {"frames": repr(model.preprocess), **numbers(model.sound)},
        "frozen": fingerprint(encoders, without=adapter_state(encoders)),
    }


def numbers(sound: nn.Module) -> dict[str, str]:
    """What the modules that make an encoder's input of a sound say of themselves, by name."""
    return {name or "sound": said for name, module in sound.named_modules() if (said := module.extra_repr())}
