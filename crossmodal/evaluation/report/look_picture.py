"""A clip in one figure: what it shows, what guides it where, what the guide changed, and what became of the score."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from crossmodal.data import LabelledClip
from crossmodal.drawing import PanelRow, panel_figure, pictures, read_sites
from crossmodal.evaluation.counterfactuals import MISSING, Looked, looked
from crossmodal.evaluation.report.looking import AXES, covered
from crossmodal.io import write_whole
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 5


def look_picture(model: AudioVisualEvents, clip: LabelledClip, outlines: Tensor | None = None) -> "Figure":
    """Five seconds of a clip, evenly spaced: the last map of either stream, and what the same place loses without it.

    `outlines`: `(segment, height, width)`, pixels of what the maps should point at, where that is known. The scores
    are the probabilities of the true label, background included.
    """
    like = next(model.parameters())
    found = looked(model, clip.frames[None].to(like), clip.wave[None].to(like))
    picked = torch.linspace(0, len(clip.frames) - 1, min(SHOWN, len(clip.frames))).round().long()
    names = [*model.classes, "background"]
    log_mel = covered(model.sound(clip.wave.to(like)), getattr(model.coupled.encoder("audio").stem, "length", None))
    told = list(found.scores)[:3]  # guided, the first edge missing, and silenced
    scores = {
        name.replace("guided", "P(label) guided"): found.scores[name].cpu().gather(1, clip.labels[:, None])[picked, 0]
        for name in told
    }
    return panel_figure(
        [PanelRow("what is seen", None, model.coupled.sites["visual"][-1]), *_rows(model, found, picked)],
        frames=pictures(clip.frames, model.preprocess)[picked],
        log_mel=log_mel[picked],
        outlines=None if outlines is None else outlines[picked],
        titles=[f"{second} s: {names[clip.labels[second]]}" for second in picked.tolist()],
        scores=scores,
    )


def _rows(model: AudioVisualEvents, found: Looked, picked: Tensor) -> list[PanelRow]:
    """Of every guided stream: its last map over tokens, and what these tokens lose without the edge."""
    rows, sites = [], read_sites(model.coupled)
    for stream, by_kind in found.values.items():
        other = "audio" if stream == "visual" else "visual"
        maps = [kind for kind in by_kind if kind.endswith(" map")]
        coupler = list(by_kind[maps[-1] if maps else MISSING])[-1]
        if tuple(sites[coupler][stream].axes) != AXES[stream]:
            continue
        told = {kind: f"{kind}, {other} → {stream}, coupler {coupler}" for kind in maps[-1:]}
        told[MISSING] = f"change of each token by the edge {other} → {stream}"
        rows += [
            PanelRow(words, by_kind[kind][coupler][picked], sites[coupler][stream]) for kind, words in told.items()
        ]
    return rows


def write_figure(file: Path, figure: "Figure", *, dpi: int = 130) -> None:
    """Writes a figure whole or not at all, in the format of the file's name."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format=file.suffix.removeprefix("."), dpi=dpi)
    write_whole(file, drawn.getvalue())
