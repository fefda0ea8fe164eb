"""Builds visual and audio encoders by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .backbone import AudioBackbone, VisualBackbone, fixed_seed, warn_if_random
from .clap import clap
from .cutting import cut_model
from .libraries import (
    HeadlessModel,
    timm_model,
    torchvision_model,
    transformers_model,
    unknown_name,
)
from .own import AUDIO_BUILDERS, VISUAL_BUILDERS

LIBRARIES: dict[str, Callable[..., HeadlessModel]] = {
    "timm": timm_model,
    "torchvision": torchvision_model,
    "transformers": transformers_model,
}
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


def visual_backbone(
    name: str,
    *,
    weights: str | Path | None = None,
    size: int | None = None,
    points: str | Sequence[str] | None = None,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> VisualBackbone:
    """Builds a visual encoder by name.

    Args:
        name: `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER` (as `save_pretrained` writes it), `swin_v2_l`,
            `clip_vit_b_32`, `clip_vit_b_16`, `clip_vit_l_14`, `pvt_v2_b5`, or `tiny`, which is small and
            trained on the built-in world.
        weights: A file (safetensors, or tensors of `torch.save`), or `"pretrained"` for those of the library's hub;
            with `None` they are random, the same in every run, and a warning says so.
        size: Side of a frame in pixels; `None` for the model's own.
        points: Patterns of the modules to cut at, as `sections_of` takes them; `None` for the model's blocks.
        options: Further keywords for the library, such as `{"depth": 2}`.

    Raises:
        ValueError: With near misses for an unknown name; or as `sections_of` and the importers.
        ImportError: If the library is not installed.
        ConnectionError: If its hub cannot be reached.
    """
    library, _, model = name.partition(":")
    if library in LIBRARIES and model:
        with fixed_seed():
            headless = LIBRARIES[library](model, weights=weights, size=size, options=options)
            encoder, width = cut_model(headless, points, name)
        warn_if_random(name, headless.trained, "visual")
        return VisualBackbone(encoder, width, headless.size, headless.mean, headless.std)
    if name not in VISUAL_BUILDERS:
        raise ValueError(unknown_name(name, [*VISUAL_BUILDERS, *(f"{library}:…" for library in LIBRARIES)]))
    if size or points or options:
        raise ValueError(f"visual_backbone: {name!r} takes no size={size}, points={points} or options={dict(options)}.")
    return VISUAL_BUILDERS[name](weights)


def audio_backbone(
    name: str, *, weights: str | Path | None = None, options: Mapping[str, Any] = NO_OPTIONS
) -> AudioBackbone:
    """Builds an audio encoder by name.

    Args:
        name: `htsat`, `clap_htsat` (the HTS-AT of LAION's CLAP at its 48 kHz), `transformers:FOLDER` of a CLAP, or
            `tiny`.
        weights: As in `visual_backbone`; `htsat` takes AudioSet's or CLAP's.
        options: Entries of the configuration of a model of transformers.

    Raises:
        ValueError: With near misses for an unknown name; or as `sections_of` and the importers.
        ImportError: If transformers is needed and not installed.
    """
    library, _, folder = name.partition(":")
    if library == "transformers" and folder:
        return clap(folder, weights=weights, options=options)
    if name not in AUDIO_BUILDERS:
        raise ValueError(unknown_name(name, [*AUDIO_BUILDERS, "transformers:…"]))
    if options:
        raise ValueError(f"audio_backbone: {name!r} takes no options={dict(options)}.")
    return AUDIO_BUILDERS[name](weights)
