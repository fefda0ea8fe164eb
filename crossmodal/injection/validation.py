"""Checks of a lockstep before any forward: sections once and in order, sites that fit, adapters that fit."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..adapters import Modulation
from ..check_cache import PLAIN, NoSignature
from ..plain import is_unobserved
from ..site import Site
from .coupler import Coupler, as_adapted, check_residual, edge_key
from .encoder import Encoder
from .step import Edge, Sites, Step

LIMIT = 4096
"""Number of adapters and sites that are remembered to fit; more empty the memory."""
_fitting: set[Hashable] = set()


def check_encoders(block: str, encoders: Mapping[str, object]) -> None:
    """Checks that every encoder is one that is cut into sections.

    Args:
        block: Whose argument they are, for the message.
        encoders: Name → encoder.

    Raises:
        TypeError: If one is something else, such as a name, a model that was not cut, or an encoder with its input.
    """
    for name, encoder in encoders.items():
        if isinstance(encoder, Encoder):
            continue
        remedy = (
            "cut a model of your own by sections_of(model, example=…), or build one by visual_backbone(name).encoder"
        )
        if isinstance(encoder, str):
            remedy = (
                f"visual_backbone({encoder!r}).encoder or audio_backbone({encoder!r}).encoder builds one by its name"
            )
        elif isinstance(getattr(encoder, "encoder", None), Encoder):
            remedy = f"pass its part: {name}.encoder"
        raise TypeError(
            f"{block}: {name} must be an Encoder, which is cut into sections; got {_named(encoder)}: {remedy}."
        )


def _named(value: object) -> str:
    return f"the text {value!r}" if isinstance(value, str) else f"an object of type {type(value).__name__}"


def check_streams(streams: Mapping[str, str], encoders: Collection[str]) -> None:
    """Checks that every stream runs through an encoder, every encoder has a stream, and names can be told apart.

    Raises:
        ValueError: If a stream names no encoder, an encoder has no stream, or a stream has a dot in its name, which
            separates it from its sites (`"visual.stem"`).
    """
    for name, encoder in streams.items():
        if not name or "." in name:
            raise ValueError(f"Lockstep: stream {name!r} must have a name without dots.")
        if encoder not in encoders:
            raise ValueError(f"Lockstep: streams[{name!r}]={encoder!r} is none of the encoders {sorted(encoders)}.")
    idle = sorted(set(encoders) - set(streams.values()))
    if idle:
        raise ValueError(f"Lockstep: the encoders {idle} have no stream; the streams are {dict(streams)}.")


def check_steps(steps: Sequence[Step], sites: Sites, couplers: Mapping[str, Coupler]) -> list[dict[str, str]]:
    """Checks steps and couplers against the sites.

    Returns:
        For every step the site where each stream stands after it.

    Raises:
        ValueError: If sections do not run once and in order, or couplers, streams or sizes do not fit.
    """
    named = [step.coupler for step in steps if step.coupler is not None]
    if sorted(named) != sorted(couplers):
        raise ValueError(
            f"Lockstep: the steps name couplers {sorted(set(named) - set(couplers))} that are not given, the couplers "
            f"given but not named once are {sorted(set(couplers) - set(named)) or sorted(named)}."
        )
    at, ends = dict.fromkeys(sites, 0), []
    for number, step in enumerate(steps):
        start = {name: sites[name][position] for name, position in at.items()}
        for name, sections in step.sections.items():
            at[name] = advanced(number, name, sections, sites, at[name])
        end = {name: sites[name][position] for name, position in at.items()}
        if step.coupler is not None:
            check_coupled(number, couplers[step.coupler], start, end)
        ends.append({name: site.name for name, site in end.items()})
    for name, position in at.items():
        if position != len(sites[name]) - 1:
            missing = [site.name for site in sites[name][position + 1 :]]
            raise ValueError(
                f"Lockstep: the steps never run {len(missing)} sections of {name}, from {missing[0]!r} on."
            )
    return ends


def advanced(number: int, name: str, sections: Sequence[str], sites: Sites, position: int) -> int:
    """Returns the position of a stream after `sections`; raises `ValueError` where they are not the next ones."""
    if name not in sites:
        raise ValueError(f"Lockstep: step {number} runs stream {name!r}, the streams are {sorted(sites)}.")
    for section in sections:
        position += 1
        following = sites[name][position].name if position < len(sites[name]) else None
        if section != following:
            raise ValueError(
                f"Lockstep: step {number} runs section {section!r} of {name} where {following!r} is next: every "
                f"section must run once, in order."
            )
    return position


def check_coupled(number: int, coupler: Coupler, start: Mapping[str, Site], end: Mapping[str, Site]) -> None:
    """Checks that a coupled step ends where a residual read at its start still fits, as its adapters must, too."""
    for edge in coupler.edges:
        for name in edge:
            if name not in start:
                raise ValueError(f"Lockstep: step {number} has the edge {edge}, the streams are {sorted(start)}.")
        name = edge[1]
        if (start[name].width, start[name].tokens) != (end[name].width, end[name].tokens):
            raise ValueError(
                f"Lockstep: step {number} is coupled, but {name} goes from {start[name].tokens} tokens of width "
                f"{start[name].width} to {end[name].tokens} of {end[name].width}: run merges in an uncoupled step."
            )
        check_adapter_fits(number, edge, coupler.get_submodule(edge_key(edge)), start)


def check_adapter_fits(number: int, edge: Edge, adapter: nn.Module, start: Mapping[str, Site]) -> None:
    """Runs an adapter on tensors without data, to see whether its residual fits.

    An adapter that cannot run so is left to the checks of the forward. One that is like an adapter that fitted between
    sites of the same sizes is not run again: a large model has dozens of each kind.
    """
    sizes = [(start[name].tokens, start[name].width) for name in edge]
    known = None if (like := likeness(adapter)) is None else (like, *sizes)
    if known in _fitting:
        return
    state = {**dict(adapter.named_parameters()), **dict(adapter.named_buffers())}
    dtype = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), torch.float32)
    guide, stream = (torch.empty(2, start[name].tokens, start[name].width, dtype=dtype, device="meta") for name in edge)
    shadows = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    try:
        with torch.no_grad(), _named_maps(adapter):
            adapted = as_adapted(functional_call(adapter, shadows, (stream, guide)), adapter, *edge)
        check_residual(adapted.residual, stream, "adapter")
    except NotImplementedError:
        return
    except (ValueError, TypeError, RuntimeError) as error:
        if "meta" in str(error):  # an adapter that looks at values, not one that does not fit
            return
        raise ValueError(
            f"Lockstep: the adapter {edge[0]} → {edge[1]} of step {number} does not fit a stream of "
            f"{start[edge[1]].tokens} tokens of width {start[edge[1]].width} and a guide of {start[edge[0]].tokens} "
            f"tokens of width {start[edge[0]].width}: {error}"
        ) from error
    if known is not None:
        if len(_fitting) >= LIMIT:
            _fitting.clear()
        _fitting.add(known)


def likeness(adapter: nn.Module) -> Hashable | None:
    """Returns a key that adapters of the same parts and sizes share; `None` where hooks or closures may do anything."""
    parts = list(adapter.named_modules())
    if not all(is_unobserved(part) for _, part in parts):
        return None
    state = [*adapter.named_parameters(), *adapter.named_buffers()]
    try:
        return (
            tuple((name, type(part), _attributes(part)) for name, part in parts),
            tuple((name, tensor.shape, tensor.dtype) for name, tensor in state),
        )
    except NoSignature:
        return None


def _attributes(part: nn.Module) -> tuple[Hashable, ...]:
    """Returns what a module holds beside its weights and parts."""
    return tuple((name, _key(value)) for name, value in vars(part).items() if not name.startswith("_"))


def _key(value: Any) -> Hashable:
    """Returns a number, text or function itself, the keys inside a container, and of other objects their class."""
    if isinstance(value, (*PLAIN, float, type)):
        return value
    if isinstance(value, tuple | list):
        return tuple(map(_key, value))
    if isinstance(value, Mapping):
        return tuple((name, _key(item)) for name, item in value.items())
    if isinstance(value, partial):
        return _key(value.func), _key(value.args), _key(value.keywords)
    if isinstance(value, FunctionType) and value.__closure__ is None:
        return value
    if callable(value):
        raise NoSignature
    return (type(value),)


@contextmanager
def _named_maps(adapter: nn.Module) -> Iterator[None]:
    """Lets a guidance whose map has a wrong shape be named, before the modulation multiplies by it."""
    modulations = [module for module in adapter.modules() if isinstance(module, Modulation)]
    blocks = {name: module.get_submodule(name) for module in modulations for name in module.names}
    handles = [block.register_forward_hook(partial(_check_map, name)) for name, block in blocks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _check_map(name: str, guidance: nn.Module, given: tuple[Any, ...], found: object) -> None:
    """Raises `TypeError` or `ValueError` where a map cannot be multiplied with the stream."""
    stream = next((value for value in given if isinstance(value, Tensor) and value.ndim == 3), None)
    if not isinstance(found, Tensor):
        raise TypeError(
            f"guidance {name!r} ({type(guidance).__name__}) returned a {type(found).__name__}; a guidance returns its "
            "map, a tensor."
        )
    if stream is None:
        return
    frames, tokens, channels = stream.shape
    fits = found.ndim == 3 and found.shape[0] == frames
    if not fits or found.shape[1] not in (1, tokens) or found.shape[2] not in (1, channels):
        raise ValueError(
            f"guidance {name!r} ({type(guidance).__name__}) returned a map of shape {tuple(found.shape)} for a stream "
            f"of shape {tuple(stream.shape)}; a map is (frame, 1, channel), (frame, token, 1), (frame, 1, 1) or of the "
            "stream's shape."
        )
