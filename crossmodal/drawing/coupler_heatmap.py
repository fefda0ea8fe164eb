"""A heat map of all maps of all couplers: couplers from top to bottom, frames from left to right."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..injection.step import Edge
from .canvas import Limits, colour_bar, drawn_as, new_figure, value_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Maps = Mapping[str, Mapping[Edge, Mapping[str, Tensor]]]
"""Coupler → edge → name → map, as in `Coupled.maps`."""

WIDE, ROW, HEAD, FOOT, SIDE, TALLEST = 2.6, 0.17, 0.3, 0.45, 1.5, 6.0
"""Inches: a panel's width; a coupler's height; above, below and left of a panel; and a panel's greatest height."""

RecordedMaps = Mapping[str, Tensor]
"""Name of the module and map → map, as `record_maps` returns them."""

EdgeMap = tuple[str, str]
"""An edge, and the name of a map."""


def coupler_heatmap(maps: Maps | RecordedMaps, *, limits: Limits = (0.0, 1.0)) -> "Figure":
    """Draws a panel for each edge and kind of map: one row for each coupler, the first on top, one column a frame.

    A map is drawn as its mean over tokens and channels; the row of a coupler without such a map stays empty.

    Args:
        maps: Coupler → edge → name → map, as in `Coupled.maps`; or name → map, as `record_maps` returns them.
        limits: Values at both ends of the colour scale; `None` for the minimum and the maximum of all maps.

    Raises:
        ValueError: If there is no map, or maps differ in their number of frames.
    """
    by_coupler = _by_coupler(maps)
    kinds = list(dict.fromkeys(kind for by_kind in by_coupler.values() for kind in by_kind))
    if not kinds:
        raise ValueError(f"coupler_heatmap: none of the {len(maps)} couplers gave a map: there is nothing to draw.")
    couplers = [name for name, by_kind in by_coupler.items() if by_kind]
    heat = {kind: _mean_by_frame([by_coupler[name].get(kind) for name in couplers]) for kind in kinds}
    if len(widths := {rows.shape[1] for rows in heat.values()}) > 1:
        raise ValueError(f"coupler_heatmap: the maps have {sorted(widths)} frames: give those of one forward.")
    every_value = torch.cat(list(heat.values()))
    low, high = value_range(every_value, limits)
    what = "mean of the map over tokens and channels; couplers downwards, frames to the right"
    label, opacity = drawn_as(every_value, what, 1.0)
    edges = list(dict.fromkeys(edge for edge, _ in kinds))
    names = list(dict.fromkeys(name for _, name in kinds))
    tall = min(TALLEST, ROW * len(couplers))
    width, height = SIDE + len(names) * (WIDE + 0.1), len(edges) * (HEAD + tall) + FOOT
    figure = new_figure(width, height)
    for (edge, name), rows in heat.items():
        at = names.index(name)
        left, foot = SIDE + at * (WIDE + 0.1), FOOT + (len(edges) - 1 - edges.index(edge)) * (HEAD + tall)
        axes = figure.add_axes((left / width, foot / height, WIDE / width, tall / height))
        style: dict[str, Any] = {
            "vmin": low,
            "vmax": high,
            "cmap": "inferno",
            "alpha": opacity,
            "interpolation": "nearest",
        }
        image = axes.imshow(rows.numpy(), aspect="auto", **style)
        axes.set_title(f"{edge}: {name}" if edge else name, fontsize=8, pad=3)
        every = max(1, round(len(couplers) * ROW / tall))  # of many couplers only some names fit
        axes.set_yticks(range(0, len(couplers), every), couplers[::every] if at == 0 else [], fontsize=6)
        axes.set_xticks([])
    colour_bar(figure, image, label)
    return figure


def _by_coupler(maps: Maps | RecordedMaps) -> dict[str, dict[EdgeMap, Tensor]]:
    """Groups maps by coupler, or by module if they were recorded from a model without couplers."""
    groups: dict[str, dict[EdgeMap, Tensor]] = {}
    modules = {key.rpartition(".")[0] for key in maps}
    shared = Counter(module.rpartition(".")[2] for module in modules)
    for key, entry in maps.items():
        if isinstance(entry, Tensor):
            module, _, name = key.rpartition(".")
            parent, _, last = module.rpartition(".")
            # A last part that several modules share, such as `audio_visual` in every coupler, is the edge.
            group, edge = (parent, last) if shared[last] > 1 else (module, "")
            groups.setdefault(group, {})[edge, name] = entry
        else:
            groups[key] = {
                (" → ".join(edge), name): values for edge, of in entry.items() for name, values in of.items()
            }
    above = {name.rpartition(".")[0] for name in groups}
    common = f"{above.pop()}." if len(above) == 1 else ""  # a prefix of all names carries no information
    return {name.removeprefix(common): by_kind for name, by_kind in groups.items()}


def _mean_by_frame(maps: list[Tensor | None]) -> Tensor:
    """Averages each map over tokens and channels: `(coupler, frame)`, `nan` for a coupler without a map."""
    rows = [None if values is None else values.detach().to("cpu", torch.float32).mean((1, 2)) for values in maps]
    frames = {len(row) for row in rows if row is not None}
    if len(frames) > 1:
        raise ValueError(f"coupler_heatmap: the maps have {sorted(frames)} frames: give those of one forward.")
    return torch.stack([torch.full((max(frames),), torch.nan) if row is None else row for row in rows])
