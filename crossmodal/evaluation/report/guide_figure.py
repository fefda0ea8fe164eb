"""Figure of one item: frames, the last map of either stream, what guides change, and what the true label loses."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crossmodal.drawing import PanelRow, panel_figure, pictures, read_sites
from crossmodal.drawing.canvas import FLAT
from crossmodal.evaluation.counterfactuals import MISSING, GuideEffects, guide_effects
from crossmodal.evaluation.items import batch_of
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled

from .map_figures import AXES, seen_stretch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_FRAMES = 5
"""Frames of a figure."""

RUNS = 3
"""Bars of a frame: guided, the first edge missing, and silenced."""


def guide_figure(system: CoupledSystem, task: Labelled, item: Any, outlines: Tensor | None = None) -> "Figure":
    """Draws five evenly spaced frames of an item: the last maps, and what the same places lose without their guide.

    Args:
        system: Coupled system with a method `probabilities(outputs)`, in evaluation mode.
        task: Its task.
        item: Item of a data set, with frames, wave and labels.
        outlines: `(frame, height, width)`, pixels of what the maps should point at, where that is known.

    Raises:
        ValueError: If the item cannot be run alone, as under a placebo that reads another one.
    """
    batch = batch_of(item, system)
    effects = guide_effects(system, batch)
    count = len(item.frames)
    picked = torch.linspace(0, count - 1, min(SHOWN_FRAMES, count)).round().long()
    labels = task.labels(batch, system.classes)[0].cpu()
    length = getattr(system.coupled.encoder("audio").stem, "length", None)
    log_mel = seen_stretch(system.sound(batch.wave[0]), length).detach()
    names = [*system.classes, "background"]
    of_frames = labels.expand(count) if len(labels) == 1 else labels  # one label of the whole clip
    scores = {}
    for name in list(effects.probabilities)[:RUNS]:
        true = effects.probabilities[name][0].cpu().gather(1, labels[:, None])[:, 0]
        scores[name.replace("guided", "P(label) guided")] = (true.expand(count) if len(true) == 1 else true)[picked]
    return panel_figure(
        [PanelRow("frames", None, system.coupled.sites["visual"][-1]), *_rows(system, effects, picked)],
        frames=pictures(item.frames, system.preprocess)[picked],
        log_mel=log_mel[picked],
        outlines=None if outlines is None else outlines[picked],
        titles=[f"{second} s: {names[of_frames[second]]}" for second in picked.tolist()],
        scores=scores,
    )


def _rows(system: CoupledSystem, effects: GuideEffects, picked: Tensor) -> list[PanelRow]:
    """Returns, of every guided stream, its last map over tokens and what these tokens lose without the edge."""
    rows, sites = [], read_sites(system.coupled)
    for stream, by_kind in effects.values.items():
        other = "audio" if stream == "visual" else "visual"
        maps = [kind for kind in by_kind if kind.endswith(" map")]
        coupler = list(by_kind[maps[-1] if maps else MISSING])[-1]
        if tuple(sites[coupler][stream].axes) != AXES[stream]:
            continue
        captions = {kind: f"{kind}, {other} → {stream}, coupler {coupler}" for kind in maps[-1:]}
        captions[MISSING] = f"change of each token by the edge {other} → {stream}"
        for kind, caption in captions.items():
            flat = 0.0 if kind == MISSING else FLAT  # a change may be small everywhere, and differ from place to place
            rows.append(PanelRow(caption, by_kind[kind][coupler][picked], sites[coupler][stream], flat))
    return rows
