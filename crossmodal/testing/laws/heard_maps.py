"""The law of maps that are heard: another map moves what an adapter writes, and the streams of a coupled model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ...injection import Lockstep
from ...injection.coupler import edge_key
from ...shapes import shape_checks
from ..law import NotApplicable, Violation, law
from ..trial import Trial, named_tensors

NAME = "every map is heard"
SHARE = 0.1
"""A map is heard if another one moves the result by this share of what its weight allows."""

UNREAD_WEIGHT = 0.05
"""Weight that a map is taken to have where no modulation says which."""

WIDE = 4
"""How many times as wide the streams are in which maps must be heard: a norm over two channels knows but signs."""

DRAWS = 3

Ratio = Callable[[Tensor], Tensor]
"""`ratio(other)`: the factor that a residual would be multiplied by, if nothing stood between it and the map."""


class Substituted(TorchFunctionMode):
    """Lets functions of torch return other tensors, by the place of the call in the order of all calls.

    A map is found by the call that returned it, so that no block has to say where it comes from.
    """

    def __init__(self, others: Mapping[int, Tensor]):
        """Takes the tensors.

        Args:
            others: Place of a call → what is returned instead.
        """
        super().__init__()
        self.others = others
        self.returned: list[Tensor] = []
        self.kept: list[Tensor] = []  # so that no id is used again
        self.detached: dict[int, Tensor] = {}

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls the function, and returns what stands in for its result."""
        result = function(*args, **(kwargs or {}))
        if not isinstance(result, Tensor):
            return result
        if function is Tensor.detach:  # of a map that is returned for the record
            self.detached[id(result)] = args[0]
            self.kept.append(result)
            return result
        self.returned.append(self.others.get(len(self.returned), result))
        return self.returned[-1]

    def places(self, maps: Mapping[str, Tensor]) -> dict[str, int]:
        """Returns the place of the call that returned each map, of those that a call returned."""
        last = {id(tensor): place for place, tensor in enumerate(self.returned)}
        sources = {name: self.detached.get(id(tensor), tensor) for name, tensor in maps.items()}
        return {name: last[id(tensor)] for name, tensor in sources.items() if id(tensor) in last}


def call_substituted(
    trial: Trial, block: nn.Module, others: Mapping[int, Tensor]
) -> tuple[dict[str, Tensor], Substituted]:
    """Calls a block without gradients; once its caches are filled, its calls of torch come in the same order."""
    mode = Substituted(others)
    with torch.no_grad(), shape_checks(False), mode:
        outputs = dict(named_tensors(trial.call(block, trial.inputs)))
    return outputs, mode


@law(2, NAME, examples=3)
def every_map_is_heard(trial: Trial) -> str:
    """Another map in [0, 1], the others as they are, moves the residual by a tenth of what its weight allows."""
    trial = trial.widened(WIDE).exact()
    block = trial.woken()
    call_substituted(trial, block, {})  # fills caches
    outputs, mode = call_substituted(trial, block, {})
    maps = {name: value for name, value in outputs.items() if name.startswith("maps")}
    if not maps:
        raise NotApplicable("it returns no maps")
    places = mode.places(maps)
    held = {place: maps[name] for name, place in places.items()}
    found: dict[str, list[tuple[float, float]]] = {}
    for name, place in places.items():
        ratio = ratio_of(block, name, maps)
        found[name] = []
        for _ in range(DRAWS):
            other = torch.rand_like(maps[name])
            residual = call_substituted(trial, block, {**held, place: other})[0]["residual"]
            found[name].append(
                (relative_change(residual, outputs["residual"]), allowed(ratio(other), outputs["residual"]))
            )
    return told("the residual", found, [name for name in maps if name not in places])


def told(what: str, found: Mapping[str, list[tuple[float, float]]], missing: list[str]) -> str:
    """Writes what each map moves; raises `Violation` where one is not heard, with the same words.

    Args:
        what: What is moved.
        found: Map → for every draw, how far it moved, and how far its weight would allow.
        missing: Maps that no call of torch returned.
    """
    lines, silent = [], []
    for name, draws in found.items():
        far, could = max(draws, key=lambda draw: draw[0] / max(draw[1], 1e-300))
        key = name.rsplit("[", 1)[-1].strip("]'")
        lines.append(f"map '{key}' moves {what} by {far:.2g}; its weight allows {could:.2g}")
        if far < SHARE * could:
            silent.append(key)
    lines += [f"{name}: no call of torch returned it, so that no other could take its place" for name in missing]
    if silent:
        raise Violation("\n".join([f"not heard: {', '.join(silent)}", *lines]))
    if not found:
        raise NotApplicable("\n".join(lines))
    return "\n".join(lines)


def ratio_of(block: nn.Module, name: str, maps: Mapping[str, Tensor]) -> Ratio:
    """Returns the factor by which a modulation's factor changes with one of its maps.

    Args:
        block: The block that holds the modulation.
        name: Name of the map among the outputs, as in `maps['channel']`.
        maps: All maps, by such names.
    """
    prefix, _, key = name.rpartition("[")
    key = key.strip("]'")
    for module in block.modules():
        modulation: Any = module  # anything with the attributes of `Modulation`
        names = getattr(modulation, "names", ())
        if key in names and all(hasattr(modulation, f"{one}_weight") for one in names):
            weights = {one: torch.as_tensor(getattr(modulation, f"{one}_weight")) for one in names}
            base, weight = modulation.base, weights[key]
            factor = base + sum((weights[one] * maps[f"{prefix}['{one}']"] for one in names), torch.zeros(()))
            return lambda other: 1 + weight * (other - maps[name]) / factor
    return lambda other: 1 + UNREAD_WEIGHT * (other - maps[name])


def relative_change(found: Tensor, before: Tensor) -> float:
    """Returns how far a tensor has moved, in units of its norm."""
    return float((found - before).norm() / before.norm())


def allowed(ratio: Tensor, residual: Tensor) -> float:
    """Returns how far a residual would move that were multiplied by `ratio` itself."""
    return relative_change((residual * ratio).detach(), residual)


@law(2, NAME, examples=1)
def every_map_is_heard_in_the_streams(trial: Trial) -> str:
    """With all gates open, another map in every adapter moves the streams by a tenth of what its weight allows.

    The weight allows what the streams move by if the adapters' residuals are multiplied by what the factors change.
    """
    trial = trial.exact()
    model = trial.woken()
    if not isinstance(model, Lockstep):
        raise Violation(f"expected a Lockstep, found a {type(model).__name__}")
    call_substituted(trial, model, {})  # fills caches
    outputs, mode = call_substituted(trial, model, {})
    maps = {name: value for name, value in outputs.items() if name.startswith("maps")}
    if not maps:
        raise NotApplicable("its adapters return no maps")
    places = mode.places(maps)
    held, before = {place: maps[name] for name, place in places.items()}, streams(outputs)
    found: dict[str, list[tuple[float, float]]] = {}
    for kind in dict.fromkeys(name.rpartition("[")[2] for name in places):
        others = {name: torch.rand_like(maps[name]) for name in places if name.endswith(f"[{kind}")}
        after = call_substituted(trial, model, {**held, **{places[name]: other for name, other in others.items()}})[0]
        with scaled(model, maps, others):
            could = call_substituted(trial, model, held)[0]
        found[kind] = [(relative_change(streams(after), before), relative_change(streams(could), before))]
    try:
        return told("the streams", found, [name for name in maps if name not in places])
    except Violation as words:
        reasons = {type(adapter).__name__: reason for adapter, reason in declared(model)}
        if not reasons:
            raise
        said = "\n".join(f"{kind}: {reason}" for kind, reason in reasons.items())
        raise NotApplicable(f"{said}\n{words}") from words


def streams(outputs: Mapping[str, Tensor]) -> Tensor:
    """Joins all final streams, each divided by its norm."""
    found = [value for name, value in outputs.items() if name.startswith("streams")]
    return torch.cat([value.flatten() for value in found])


def declared(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yields the blocks of a model that exempt themselves from this law, with their reasons."""
    for module in model.modules():
        if NAME in (exempt := getattr(module, "laws_exempt", {})):
            yield module, exempt[NAME]


@contextmanager
def scaled(model: Lockstep, maps: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> Iterator[None]:
    """Multiplies the residuals of adapters by what the factors of their modulations would change."""
    handles = []
    for coupler_name, coupler in model.couplers.items():
        for guide, stream in getattr(coupler, "edges", ()):
            prefix = f"maps[{coupler_name!r}][{(guide, stream)!r}]"
            for name in (name for name in others if name.startswith(prefix)):
                adapter = coupler.get_submodule(edge_key((guide, stream)))
                factor = ratio_of(adapter, name, maps)(others[name])

                def multiply(_: nn.Module, __: Any, adapted: Any, factor: Tensor = factor) -> Any:
                    with torch._C.DisableTorchFunction():  # not counted among the calls of the model
                        return adapted._replace(residual=adapted.residual * factor)

                handles.append(adapter.register_forward_hook(multiply))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
