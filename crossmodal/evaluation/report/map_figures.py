"""Pictures of one item for a page: its frames and its sound, and over them the maps of the last coupler."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from crossmodal.data import Preprocess
from crossmodal.drawing import coupler_heatmap, over_frames, over_spectrogram, pictures, read_sites
from crossmodal.drawing.canvas import FLAT, GAP
from crossmodal.drawing.coupler_heatmap import Maps
from crossmodal.evaluation.counterfactuals import edges_of
from crossmodal.injection.step import Edge
from crossmodal.site import Site
from crossmodal.tasks.coupled_system import CoupledSystem

from .page import Picture, as_picture, page_style

AXES = {"visual": ("row", "column"), "audio": ("frequency", "time")}
"""Axes of the streams whose maps can be drawn."""

SECONDS = 10
"""Frames in a row that fill the width of a page."""

NO_MAPS = "This system gives no maps: nothing is drawn over the pictures."


class ItemMaps(NamedTuple):
    """Pictures of one item.

    Attributes:
        rows: Frames, frames under the last visual map, spectrograms under the last audio map; below each other.
        depth: All maps of all couplers by their means; `None` where there is none.
        remark: Sentence about what is not drawn; empty where all is.
    """

    rows: Sequence[Picture]
    depth: Picture | None
    remark: str


class TokenMap(NamedTuple):
    """A map with a value per token.

    Attributes:
        coupler: Name of the coupler that it belongs to.
        edge: Guide and guided stream.
        name: Name of the map.
        values: `(frame, token, 1)`.
        site: Where the tokens lie.
    """

    coupler: str
    edge: Edge
    name: str
    values: Tensor
    site: Site

    @property
    def caption(self) -> str:
        """Returns which map it is, in words."""
        return f"{self.name} map, {self.edge[0]} → {self.edge[1]}, coupler {self.coupler}"


def drawable_map(system: CoupledSystem, maps: Maps, stream: str) -> TokenMap | None:
    """Returns the map over tokens of the last coupler that has one for `stream`; `None` where there is none."""
    sites = read_sites(system.coupled)
    for coupler, by_edge in reversed(list(maps.items())):
        site = sites[coupler][stream]
        for edge, named in by_edge.items():
            for name, values in named.items():
                fits = values.shape[1:] == (site.tokens, 1) and tuple(site.axes) == AXES[stream]
                if edge[1] == stream and site.tokens > 1 and fits:
                    return TokenMap(coupler, edge, name, values, site)
    return None


@torch.inference_mode()
def item_maps(system: nn.Module, item: Any, *, name: str, start: int = 0) -> ItemMaps:
    """Draws frames, guided frames, guided spectrograms and all maps of an item of at most ten seconds.

    Args:
        system: System; one without coupled encoders gives frames alone.
        item: Item of a data set, or a clip; one without `frames` and `wave` gives no pictures.
        name: Unlike that of other items of the page.
        start: First second of the item.
    """
    if not isinstance(system, CoupledSystem) or getattr(item, "wave", None) is None:
        return ItemMaps(_frames_alone(system, item, f"{name} frames", start), None, "")
    like = next(system.parameters())  # trained in double precision, perhaps
    frames, wave = item.frames.to(like), item.wave.to(like)
    maps = system.run(frames[None], wave[None]).maps
    share, rows = _share(len(frames)), []
    with page_style():
        rows.append(_frames(frames, system.preprocess, f"{name} frames", start))
        if sight := drawable_map(system, maps, "visual"):
            seen = pictures(frames, system.preprocess)
            drawn = over_frames(seen, sight.values, sight.site, limits=None, label=sight.caption)
            rows.append(as_picture(drawn, f"{name} sight", share=share))
        rows.append(_sound(system, wave, drawable_map(system, maps, "audio"), f"{name} sound", share))
        if not any(named for by_edge in maps.values() for named in by_edge.values()):
            return ItemMaps(rows, None, NO_MAPS)
        return ItemMaps(rows, as_picture(coupler_heatmap(maps, limits=None), f"{name} depth"), "")


def _frames_alone(system: nn.Module, item: Any, name: str, start: int) -> list[Picture]:
    """Draws the frames of an item; nothing where it has none, or features in their place."""
    frames, preprocess = getattr(item, "frames", None), getattr(getattr(system, "inputs", None), "preprocess", None)
    if preprocess is None or frames is None or frames.ndim != 4 or frames.shape[1] != 3:
        return []
    with page_style():
        return [_frames(frames, preprocess, name, start)]


def _frames(frames: Tensor, preprocess: Preprocess, name: str, start: int) -> Picture:
    """Draws the frames alone, under their seconds."""
    titles = [f"{start + second} s" for second in range(len(frames))]
    return as_picture(over_frames(pictures(frames, preprocess), titles=titles), name, share=_share(len(frames)))


def _sound(system: CoupledSystem, wave: Tensor, heard: TokenMap | None, name: str, share: float) -> Picture:
    """Draws the spectrogram that the audio encoder takes, under its map where it is guided."""
    log_mel = seen_stretch(system.sound(wave), getattr(system.coupled.encoder("audio").stem, "length", None))
    if heard is None:
        return as_picture(over_spectrogram(log_mel), name, share=share)
    drawn = over_spectrogram(log_mel, heard.values, heard.site, limits=None, label=heard.caption)
    return as_picture(drawn, name, share=share)


def _share(frames: int) -> float:
    """Returns the share of a full row that so many frames take."""
    return (frames * (1 + GAP) - GAP) / (SECONDS * (1 + GAP) - GAP)


def seen_stretch(log_mel: Tensor, length: int | None) -> Tensor:
    """Returns the stretch of a log-mel that tokens see: of a longer one the encoder cuts the middle."""
    spare = 0 if length is None else max(0, log_mel.shape[1] - length)
    return log_mel[:, spare // 2 : log_mel.shape[1] - (spare - spare // 2)]


def maps_remark(system: nn.Module) -> str:
    """Returns sentences on which maps are drawn over the pictures, and which streams have none."""
    if not isinstance(system, CoupledSystem):
        return "This system has no coupled encoders: there are no maps to draw."
    guided = {edge[1] for edge in edges_of(system.coupled)}
    alone = " and ".join(stream for stream in AXES if stream not in guided)
    drawn = (
        "Maps are those of the last coupler that has one over tokens; colours go from the least to the greatest value "
        f"of the map, which stand below it; a map whose values span less than {FLAT} is drawn faintly and called flat."
    )
    return f"{drawn} No edge leads to {alone}: nothing guides it, and no map is drawn." if alone else drawn
