"""Finding the adapters and modulations of a model by name, to look at them or silence them from outside."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from ...adapters import Adapted, Modulated, Modulation, Modulations
from ..coupler import Coupler, edge_key
from ..hooks.globs import match, near
from ..hooks.injected import Injected
from ..step import Edge, check_edge

Named = tuple[str, nn.Module]


def find_adapters(model: nn.Module) -> dict[str, nn.Module]:
    """Finds the adapters in a tree of modules: those of couplers, those of `Injected`, and modules that say so.

    A module says so by a `forward` annotated `-> Adapted`. An adapter within another is not listed.

    Returns:
        Name → adapter.
    """
    return _found(model, (Adapted,))


def find_map_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Finds the adapters of `find_adapters`, and the modulations that stand outside of them."""
    return _found(model, (Adapted, Modulated))


def select_adapters(model: nn.Module, at: str | Edge | None, who: str) -> dict[str, nn.Module]:
    """Selects adapters by name.

    Args:
        model: Any model.
        at: A glob over their names, an edge, or `None` for all.
        who: The name with which an error begins.

    Raises:
        ValueError: If there is none.
    """
    found = find_adapters(model)
    if at is None:
        chosen = list(found)
    elif isinstance(at, str):
        chosen = list(match(at, found))
    else:
        check_edge(at, who)
        at_edge = {adapter for module in model.modules() if isinstance(module, Coupler) for adapter in _on(at, module)}
        chosen = [name for name, module in found.items() if module in at_edge]
    if not chosen:
        pattern = at if isinstance(at, str) else "_".join(at or ())
        raise ValueError(
            f"{who}: {at!r} names no adapter of this {type(model).__name__}: {near(pattern, found)}. A name may be a "
            "glob ('couplers.*.audio_visual'), or an edge (guide, stream)."
        )
    return {name: found[name] for name in chosen}


def _on(edge: Edge, coupler: Coupler) -> list[nn.Module]:
    """Returns the adapter that a coupler has on an edge, if it has one."""
    return [coupler.get_submodule(edge_key(edge))] if edge in coupler.edges else []


def check_uncompiled(model: nn.Module, names: Mapping[str, nn.Module], who: str) -> None:
    """Raises `ValueError` where one of these modules lies in what `torch.compile` has compiled: hooks would not run."""
    compiled = [name for name, module in model.named_modules() if is_compiled(module)]
    for outer in compiled:
        inner = next((name for name in names if not outer or name == outer or name.startswith(f"{outer}.")), None)
        if inner is not None:
            raise ValueError(
                f"{who}: {inner!r} lies in a compiled {'model' if not outer else repr(outer)}, which runs without "
                "hooks: pass the model as it was before torch.compile, which holds the same weights."
            )


def is_compiled(module: nn.Module) -> bool:
    """Returns whether a module is what `torch.compile` returns, or was compiled in place."""
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def recomputing() -> bool:
    """Returns whether a backward is under way: activation checkpoints run their forwards there once more."""
    return torch._C._current_graph_task_id() != -1


def _found(model: nn.Module, kinds: tuple[type, ...]) -> dict[str, nn.Module]:
    return {"": model} if _gives(model, kinds) else dict(_walk("", model, kinds, set()))


def _walk(name: str, module: nn.Module, kinds: tuple[type, ...], seen: set[nn.Module]) -> Iterator[Named]:
    """Yields the outermost modules that give one of these kinds; one that stands twice by its first name."""
    for child_name, child, adapts in _children(module):
        path = f"{name}.{child_name}" if name else child_name
        if child in seen:
            continue
        seen.add(child)
        if adapts or _gives(child, kinds):
            yield path, child
        else:
            yield from _walk(path, child, kinds, seen)


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yields names, children, and whether they are adapters by where they stand."""
    for name, child in module.named_children():
        if isinstance(module, Injected) and child is module.adapters:
            yield from ((f"{name}.{key}", adapter, True) for key, adapter in child.named_children())
        else:
            yield name, child, isinstance(module, Coupler)


def _gives(module: nn.Module, kinds: tuple[type, ...]) -> bool:
    """Returns whether a module gives maps, by its class or by what its `forward` is annotated to return."""
    if isinstance(module, Modulation | Modulations):
        return Modulated in kinds
    returned = getattr(type(module).forward, "__annotations__", {}).get("return")
    # a string in a file with `from __future__ import annotations`
    return returned in kinds or (isinstance(returned, str) and returned.split(".")[-1] in [k.__name__ for k in kinds])
