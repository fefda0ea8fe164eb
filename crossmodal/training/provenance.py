"""Provenance of an adapter file: written into its header, and compared when it is loaded."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from crossmodal.checkpoints import adapter_state
from crossmodal.data.vocabulary import as_text
from crossmodal.injection import fingerprint
from crossmodal.tasks.task import Features, SystemModule


def provenance(name: str, arguments: Mapping[str, Any], system: SystemModule) -> dict[str, Any]:
    """Returns what an adapter file belongs to: an adapter is worth nothing where one of these is another.

    Args:
        name: Name or import path of the system's function.
        arguments: Its keywords, as `config.yaml` writes them.
        system: The system.

    Returns:
        Name, classes, arguments, the front end, and a fingerprint of what is frozen.
    """
    return {
        "system": name,
        "classes": as_text(system.classes),
        "arguments": dict(arguments),
        "front_end": front_end(system),
        "frozen": frozen_fingerprint(system),
    }


def front_end(system: SystemModule) -> dict[str, str]:
    """Returns what turns a clip into the inputs of the system, by name."""
    inputs = system.inputs
    found = {"frames": repr(inputs.preprocess)}
    if others := sorted({of for part in system.modules() if (of := getattr(part, "trained_activation", ""))}):
        found["activation"] = " ".join(others)
    if isinstance(inputs, Features):
        extractors = {"visual": inputs.visual, "audio": inputs.audio}
        return {**found, "features": inputs.name, **{name: fingerprint(part) for name, part in extractors.items()}}
    sound = getattr(system, "sound", None)
    return {**found, **_numbers(sound)} if isinstance(sound, nn.Module) else found


def frozen_fingerprint(system: nn.Module) -> str:
    """Returns the hash of the frozen encoders of a coupled system, or of what is frozen in any other.

    What training moves in a frozen encoder, such as BatchNorm statistics of released trainings, is left out.
    """
    coupled = getattr(system, "coupled", None)
    frozen = system if coupled is None else coupled.encoders
    return fingerprint(frozen, without=adapter_state(frozen))


def _numbers(sound: nn.Module) -> Mapping[str, str]:
    """Returns what the modules of the audio front end say of themselves, by name."""
    return {name or "sound": said for name, module in sound.named_modules() if (said := module.extra_repr())}
