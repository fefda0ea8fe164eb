"""Runs a part of an encoder, and puts into a sentence why it cannot run as it stands."""

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..check_cache import first_weight


def run_part(name: str, part: nn.Module, given: Tensor, is_kept: Callable[[], bool]) -> Tensor:
    """Computes `part(given)`.

    Args:
        name: Stream and part, as `"visual.stages.0.1.mlp"`.
        part: A stem or a section.
        given: What it takes.
        is_kept: Whether somebody keeps `given` for later, so that the part must leave it as it is.

    Raises:
        RuntimeError: If the part overwrites what is kept, or its weights are sharded and were not gathered.
        TypeError: If the dtypes of weights and stream do not go together.
    """
    if torch.compiler.is_compiling():
        made: Tensor = part(given)
        return made
    if given.is_inference():  # which counts no versions
        given = given.clone() if is_kept() else given
    before = 0 if given.is_inference() else given._version
    try:
        made = part(given)
    except RuntimeError as error:
        if (why := _explained(name, part, given, error)) is None:
            raise
        raise why from error
    if not given.is_inference() and given._version != before and is_kept():
        raise RuntimeError(
            f"Lockstep: {name!r} overwrites the stream that it is given, which a tap or a mode of execution keeps: the "
            "kept values would be others than those at that site. Set inplace=False in that section."
        )
    return made


def warn_of_hooks(encoders: Mapping[str, nn.Module], warned: set[str]) -> None:
    """Warns once of hooks on an encoder, which never run: a lockstep calls its stem and its sections.

    Args:
        encoders: The encoders by name.
        warned: Names of those that were warned of; grows.
    """
    if torch.compiler.is_compiling():
        return
    for name, encoder in encoders.items():
        hooks = [*encoder._forward_hooks.values(), *encoder._forward_pre_hooks.values()]
        if name not in warned and not all(getattr(hook, "measures", False) for hook in hooks):
            warned.add(name)
            warnings.warn(
                f"Lockstep: the encoder {name!r} has forward hooks, which do not run here: a lockstep calls its stem "
                "and its sections, never the encoder. Hook encoder.stem or encoder.section(name) instead, or ask for "
                "streams by taps=.",
                stacklevel=3,
            )


def _explained(name: str, part: nn.Module, given: Tensor, error: RuntimeError) -> Exception | None:
    """Returns the error with its cause in words, where sharding or dtypes are the cause; else nothing."""
    if any(type(parameter).__name__ == "DTensor" for parameter in part.parameters()):
        return RuntimeError(
            f"Lockstep: the weights of {name!r} are sharded and were not gathered ({error}): a lockstep calls stem and "
            "sections, never the encoder. fully_shard the stem and every section, or the lockstep, not the encoder."
        )
    weight = first_weight(part)
    differs = weight is not None and given.is_floating_point() and weight.dtype != given.dtype
    if weight is None or not differs:
        return None
    return TypeError(
        f"Lockstep: {name!r} has weights in {weight.dtype} and is given {given.dtype}, which its layers do not take "
        f"together ({error}): keep the encoder in {given.dtype} and bring it to half precision by "
        "half_precision(encoder), whose sections cast what they are given."
    )
