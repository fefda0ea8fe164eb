"""Encoders by name: a visual or an audio one, whole, with what it has to be given."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crossmodal.encoders.by_name.clap import clap
from crossmodal.encoders.by_name.cutting import cut
from crossmodal.encoders.by_name.kinds import Hearing, Sight, tell, the_same_numbers
from crossmodal.encoders.by_name.libraries import (
    Headless,
    nothing_like,
    timm_model,
    torchvision_model,
    transformers_model,
)
from crossmodal.encoders.by_name.own import HEARINGS, SIGHTS

LIBRARIES: dict[str, Callable[..., Headless]] = {
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
) -> Sight:
    """A visual encoder by name.

    - `name`: `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER` (as `save_pretrained` writes it), `swin_v2_l`, or
      `tiny`, which is small and trained on the built-in world.
    - `weights`: a file (safetensors, or tensors of `torch.save`), or `"pretrained"` for those of the library's hub;
      with `None` they are random, always the same, and a warning says so.
    - `size`: side of a frame in pixels; `None` for the model's own.
    - `points`: patterns of the modules that it is cut at, as `sections_of` takes them; `None`: its blocks.
    - `options`: what else the library is told, such as `{"depth": 2}`.

    Raises `ValueError` with near misses for an unknown name, and as `sections_of` and the importers do.
    """
    library, _, model = name.partition(":")
    if library in LIBRARIES and model:
        with the_same_numbers():
            given = LIBRARIES[library](model, weights=weights, size=size, options=options)
            encoder, width = cut(given, points, name)
        tell(name, given.trained, "visual")
        return Sight(encoder, width, given.size, given.mean, given.std)
    if name not in SIGHTS:
        raise ValueError(nothing_like(name, [*SIGHTS, *(f"{library}:…" for library in LIBRARIES)]))
    if size or points or options:
        raise ValueError(f"visual_backbone: {name!r} takes no size={size}, points={points} or options={dict(options)}.")
    return SIGHTS[name](weights)


def audio_backbone(name: str, *, weights: str | Path | None = None, options: Mapping[str, Any] = NO_OPTIONS) -> Hearing:
    """An audio encoder by name: `htsat` (AudioSet's, or CLAP's weights), `transformers:FOLDER` of CLAP, or `tiny`.

    Other arguments and errors as of `visual_backbone`.
    """
    library, _, folder = name.partition(":")
    if library == "transformers" and folder:
        return clap(folder, weights=weights, options=options)
    if name not in HEARINGS:
        raise ValueError(nothing_like(name, [*HEARINGS, "transformers:…"]))
    if options:
        raise ValueError(f"audio_backbone: {name!r} takes no options={dict(options)}.")
    return HEARINGS[name](weights)
