"""A clip as a page shows it: its frames and its sound, what guides them where, what is said of every second."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from crossmodal.data import Clip
from crossmodal.drawing import coupler_heatmap, over_frames, over_spectrogram, pictures, read_sites
from crossmodal.drawing.canvas import GAP
from crossmodal.drawing.coupler_heatmap import Maps
from crossmodal.evaluation.report.page import element, folded, inked, inline, scrolling
from crossmodal.injection.step import Edge
from crossmodal.site import Site
from crossmodal.tasks.coupled_system import AudioVisual

AXES = {"visual": ("row", "column"), "audio": ("frequency", "time")}
"""Of the streams whose maps can be drawn."""

SECONDS = 10
"""In a row."""


class Pointing(NamedTuple):
    """A map over tokens: where one stream is guided."""

    coupler: str
    edge: Edge
    name: str
    values: Tensor
    site: Site

    @property
    def told(self) -> str:
        """Which map it is, in words."""
        return f"{self.name} map, {self.edge[0]} → {self.edge[1]}, coupler {self.coupler}"


def last_pointing(model: AudioVisual, maps: Maps, stream: str) -> Pointing | None:
    """The map over tokens of the last coupler that has one for `stream`; `None` where there is none."""
    sites = read_sites(model.coupled)
    for coupler, by_edge in reversed(maps.items()):
        site = sites[coupler][stream]
        for edge, named in by_edge.items():
            for name, values in named.items():
                fits = values.shape[1:] == (site.tokens, 1) and tuple(site.axes) == AXES[stream]
                if edge[1] == stream and site.tokens > 1 and fits:
                    return Pointing(coupler, edge, name, values, site)
    return None


@torch.inference_mode()
def look(model: AudioVisual, clip: Clip, *, name: str, start: int = 0) -> str:
    """Pictures of a clip of at most ten seconds, as HTML: frames, guided frames, guided spectrograms, all maps.

    - `name`: unlike that of other clips of the page. `start`: the clip's first second.
    """
    like = next(model.parameters())  # trained in double precision, perhaps
    frames, wave = clip.frames.to(like), clip.wave.to(like)
    maps = model.run(frames[None], wave[None]).maps
    titles = [f"{start + second} s" for second in range(len(frames))]
    seen = pictures(frames, model.preprocess)
    share = (len(seen) * (1 + GAP) - GAP) / (SECONDS * (1 + GAP) - GAP)
    parts = []
    with inked():
        parts.append(inline(over_frames(seen, titles=titles), f"{name}-frames", share=share))
        if sight := last_pointing(model, maps, "visual"):
            drawn = over_frames(seen, sight.values, sight.site, limits=None, label=sight.told)
            parts.append(inline(drawn, f"{name}-sight", share=share))
        parts.append(sound(model, wave, last_pointing(model, maps, "audio"), f"{name}-sound", share))
        every = depth(maps, f"{name}-depth")
    return scrolling(*parts) + every


def sound(model: AudioVisual, wave: Tensor, heard: Pointing | None, name: str, share: float) -> str:
    """The spectrogram that the audio encoder takes, under its map where it is guided."""
    log_mel = covered(model.sound(wave), getattr(model.coupled.encoder("audio").stem, "length", None))
    if heard is None:
        return inline(over_spectrogram(log_mel), name, share=share)
    drawn = over_spectrogram(log_mel, heard.values, heard.site, limits=None, label=heard.told)
    return inline(drawn, name, share=share)


def covered(log_mel: Tensor, length: int | None) -> Tensor:
    """The stretch that tokens see: of a longer log-mel the encoder cuts the middle."""
    spare = 0 if length is None else max(0, log_mel.shape[1] - length)
    return log_mel[:, spare // 2 : log_mel.shape[1] - (spare - spare // 2)]


def depth(maps: Maps, name: str) -> str:
    """All maps by their means, to be opened; a sentence where there is none."""
    if not any(named for by_edge in maps.values() for named in by_edge.values()):
        return element("p", "Nothing is drawn over the pictures: this recipe gives no maps.", class_="faint")
    return folded("All maps of all couplers", scrolling(inline(coupler_heatmap(maps, limits=None), name)))


def unguided(model: AudioVisual, shown: Sequence[str] = ("visual", "audio")) -> list[str]:
    """The streams that no coupler guides."""
    guided = {edge[1] for coupler in model.coupled.couplers.values() for edge in coupler.edges}
    return [stream for stream in shown if stream not in guided]
