"""All maps of all couplers in one picture: depth downwards, time to the right."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..injection.step import Edge
from .canvas import Limits, blank, colour_bar, ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Maps = Mapping[str, Mapping[Edge, Mapping[str, Tensor]]]
"""Coupler → edge → name → map, as `Coupled.maps` has them."""

WIDE, ROW, HEAD, FOOT, SIDE, TALLEST = 2.6, 0.17, 0.3, 0.45, 1.5, 6.0
"""Inches: a panel's width; a coupler's height; above, below and left of a panel; and a panel's greatest height."""

Recorded = Mapping[str, Tensor]
"""Name of the module and map → map, as `record_maps` gives them."""

Kind = tuple[str, str]
"""An edge, and the name of a map."""


def over_depth(maps: Maps | Recorded, *, limits: Limits = (0.0, 1.0)) -> "Figure":
    """A panel for every edge and kind of map: a row a coupler, the first on top, a column a frame.

    A map is drawn by its mean over tokens and channels; a coupler without such a map leaves its row empty.

    - `maps`: coupler → edge → name → map, as `Coupled.maps` has them; or names → maps, as `record_maps` gives them.
    - `limits`: values at both ends of the colours; `None`: the least and the greatest there are.

    Raises `ValueError` where there is no map, or maps differ in their number of frames.
    """
    by_row = _by_row(maps)
    kinds = list(dict.fromkeys(kind for found in by_row.values() for kind in found))
    if not kinds:
        raise ValueError(f"over_depth: none of the {len(maps)} couplers gave a map: there is nothing to draw.")
    couplers = [row for row, found in by_row.items() if found]
    heat = {kind: _heat([by_row[row].get(kind) for row in couplers]) for kind in kinds}
    if len(widths := {rows.shape[1] for rows in heat.values()}) > 1:
        raise ValueError(f"over_depth: the maps have {sorted(widths)} frames: give those of one forward.")
    low, high = ends(torch.cat(list(heat.values())), limits)
    edges = list(dict.fromkeys(edge for edge, _ in kinds))
    names = list(dict.fromkeys(name for _, name in kinds))
    tall = min(TALLEST, ROW * len(couplers))
    width, height = SIDE + len(names) * (WIDE + 0.1), len(edges) * (HEAD + tall) + FOOT
    figure = blank(width, height)
    for (edge, name), rows in heat.items():
        at = names.index(name)
        left, foot = SIDE + at * (WIDE + 0.1), FOOT + (len(edges) - 1 - edges.index(edge)) * (HEAD + tall)
        axes = figure.add_axes((left / width, foot / height, WIDE / width, tall / height))
        image = axes.imshow(rows.numpy(), aspect="auto", vmin=low, vmax=high, cmap="inferno", interpolation="nearest")
        axes.set_title(f"{edge}: {name}" if edge else name, fontsize=8, pad=3)
        every = max(1, round(len(couplers) * ROW / tall))
        axes.set_yticks(range(0, len(couplers), every), couplers[::every] if at == 0 else [], fontsize=6)
        axes.set_xticks([])
    colour_bar(figure, image, "mean of the map over tokens and channels; couplers downwards, frames to the right")
    return figure


def _by_row(maps: Maps | Recorded) -> dict[str, dict[Kind, Tensor]]:
    """A row a coupler, or a module: edge and name of the map → map."""
    rows: dict[str, dict[Kind, Tensor]] = {}
    modules = {key.rpartition(".")[0] for key in maps}
    shared = Counter(module.rpartition(".")[2] for module in modules)
    for key, found in maps.items():
        if isinstance(found, Tensor):
            module, _, name = key.rpartition(".")
            parent, _, last = module.rpartition(".")
            row, edge = (parent, last) if shared[last] > 1 else (module, "")  # `audio_visual` of every coupler
            rows.setdefault(row, {})[edge, name] = found
        else:
            rows[key] = {(" → ".join(edge), name): values for edge, of in found.items() for name, values in of.items()}
    above = {row.rpartition(".")[0] for row in rows}
    common = f"{above.pop()}." if len(above) == 1 else ""  # where all rows lie in one module, its name says nothing
    return {row.removeprefix(common): found for row, found in rows.items()}


def _heat(depth: list[Tensor | None]) -> Tensor:
    """`(coupler, frame)`; `nan` where a coupler has no such map."""
    rows = [None if values is None else values.detach().to("cpu", torch.float32).mean((1, 2)) for values in depth]
    frames = {len(row) for row in rows if row is not None}
    if len(frames) > 1:
        raise ValueError(f"over_depth: the maps have {sorted(frames)} frames: give those of one forward.")
    return torch.stack([torch.full((max(frames),), torch.nan) if row is None else row for row in rows])
