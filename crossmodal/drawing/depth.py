"""All maps of all couplers in one picture: depth downwards, time to the right."""

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


def over_depth(maps: Maps, *, limits: Limits = (0.0, 1.0)) -> "Figure":
    """A panel for every edge and kind of map: a row a coupler, the first on top, a column a frame.

    A map is drawn by its mean over tokens and channels; a coupler without such a map leaves its row empty.

    - `maps`: coupler → edge → name → map, as `Coupled.maps` has them.
    - `limits`: values at both ends of the colours; `None`: the least and the greatest there are.

    Raises `ValueError` where there is no map, or maps differ in their number of frames.
    """
    kinds = list(dict.fromkeys((edge, name) for of in maps.values() for edge, named in of.items() for name in named))
    if not kinds:
        raise ValueError(f"over_depth: none of the {len(maps)} couplers gave a map: there is nothing to draw.")
    couplers = [coupler for coupler, of in maps.items() if any(of.values())]
    heat = {kind: _heat([maps[coupler].get(kind[0], {}).get(kind[1]) for coupler in couplers]) for kind in kinds}
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
        axes.set_title(f"{edge[0]} → {edge[1]}: {name}", fontsize=8, pad=3)
        every = max(1, round(len(couplers) * ROW / tall))
        axes.set_yticks(range(0, len(couplers), every), couplers[::every] if at == 0 else [], fontsize=6)
        axes.set_xticks([])
    colour_bar(figure, image, "mean of the map over tokens and channels; couplers downwards, frames to the right")
    return figure


def _heat(depth: list[Tensor | None]) -> Tensor:
    """`(coupler, frame)`; `nan` where a coupler has no such map."""
    rows = [None if values is None else values.detach().to("cpu", torch.float32).mean((1, 2)) for values in depth]
    frames = {len(row) for row in rows if row is not None}
    if len(frames) > 1:
        raise ValueError(f"over_depth: the maps have {sorted(frames)} frames: give those of one forward.")
    return torch.stack([torch.full((max(frames),), torch.nan) if row is None else row for row in rows])
