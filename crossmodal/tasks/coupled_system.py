"""Two encoders in lockstep with a head on their pooled streams: the part that coupled systems of all tasks share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.adapters.controls import tell_segments
from crossmodal.data import Clip, Preprocess
from crossmodal.drawing import read_sites
from crossmodal.encoders.by_name import audio_backbone, visual_backbone
from crossmodal.heads import MapPooling, MeanPooling, PoolFactory
from crossmodal.injection import Coupled, Coupler, Encoder, Lockstep
from crossmodal.injection.coupler import edge_key
from crossmodal.injection.missing import ModalityGroup, group_by_modalities, run_by_groups
from crossmodal.ledger.nested import shadow
from crossmodal.named_draws import drawn

from .task import Clips, SystemModule

Coupling = Callable[[Encoder, Encoder], Lockstep]
"""Couples two encoders, `(visual, audio) -> Lockstep`: a function such as `crossmodal.recipes.dg_sct.dg_sct`."""


class Pooled(NamedTuple):
    """One vector per segment and modality."""

    visual: Float[Tensor, "clip segment visual_channel"]
    audio: Float[Tensor, "clip segment audio_channel"]


class Pair(NamedTuple):
    """Two coupled encoders and what a head on them needs to know.

    Attributes:
        coupled: The lockstep.
        widths: Widths of the pooled visual and audio stream.
        sound: Wave `(frame, sample)` → input of the audio encoder.
        preprocess: Size and rate of the clips.
    """

    coupled: Lockstep
    widths: tuple[int, int]
    sound: nn.Module
    preprocess: Preprocess


def coupled_pair(
    visual: str,
    audio: str,
    *,
    coupling: Coupling,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> Pair:
    """Builds two encoders by name and couples them.

    Args:
        visual: `tiny`, `swin_v2_l`, `timm:NAME`, `torchvision:NAME` or `transformers:FOLDER`.
        audio: `tiny`, `htsat` or `transformers:FOLDER` (CLAP).
        coupling: Couples them.
        visual_weights: File of weights, or `"pretrained"`; with `None` they are random (save `tiny`, and a folder that
            has weights), and a warning says so.
        audio_weights: The same of the audio encoder.
        visual_size: Side of a frame in pixels; `None` for the model's own.
        visual_options: Keywords for the visual encoder's library.
        audio_options: Keywords for the audio encoder's library.

    Raises:
        ValueError: As `visual_backbone`, `audio_backbone` and the coupling do.
    """
    sight = drawn(
        "visual", visual_backbone, visual, weights=visual_weights, size=visual_size, options=visual_options or {}
    )
    hearing = drawn("audio", audio_backbone, audio, weights=audio_weights, options=audio_options or {})
    return Pair(
        drawn("coupled", coupling, sight.encoder, hearing.encoder),
        (sight.width, hearing.width),
        hearing.sound,
        Preprocess(sight.size, hearing.rate, sight.mean, sight.std),
    )


class CoupledSystem(SystemModule):
    """Base class of systems with encoders in lockstep: pools the final streams to one vector per segment.

    A subclass adds `forward(batch)`, `loss` and `predict`, as `crossmodal.tasks.task.System` asks for.
    """

    def __init__(self, pair: Pair, *, classes: Sequence[str], pool: PoolFactory = MapPooling):
        """Keeps the parts.

        Args:
            pair: Coupled encoders of a visual and an audio stream, as `coupled_pair` builds them.
            classes: Label vocabulary; background is not counted.
            pool: Builds the pooling of each final stream over its tokens, from the stream's width.

        Raises:
            ValueError: If the pooling asks for a map that no adapter makes.
        """
        super().__init__()
        self.coupled, self.sound = pair.coupled, pair.sound
        self.preprocess, self.classes = pair.preprocess, tuple(classes)
        self.pooling = nn.ModuleDict(
            {name: drawn(f"pool {name}", pool, width) for name, width in zip(Pooled._fields, pair.widths, strict=True)}
        )
        self.pooled_by()

    @property
    def inputs(self) -> Clips:
        """What the system reads."""
        return Clips(self.preprocess)

    def pooled_by(self) -> dict[str, str]:
        """Returns how each stream is pooled: by which map of which coupler, by the mean, or by a block of one's own.

        Raises:
            ValueError: If the pooling asks for a map that no adapter makes.
        """
        said = {}
        for name, pooling in self.pooling.items():
            if not isinstance(pooling, MapPooling | MeanPooling):
                said[name] = type(pooling).__name__
                continue
            made = map_makers(self.coupled, name)
            map = pooling.chosen(tuple(made)) if made is not None else pooling.map
            said[name] = "mean" if map is None else f"map {map!r}" + (f" of {made[map]}" if made else "")
        return said

    def remarks(self) -> list[str]:
        """Returns what a reader of the system's scores must know beside its name: how its streams are pooled."""
        return [f"{name} pooled by {how}" for name, how in self.pooled_by().items()]

    def pool(
        self, frames: Tensor | None, wave: Tensor | None, *, present: Mapping[str, Tensor] | None = None
    ) -> Pooled:
        """Computes one vector per segment: pooled by the last coupler's map over tokens, or by the mean.

        Args:
            frames: `(clip, segment, 3, height, width)`; `None` where no clip has any: it guides nothing, and its
                vectors are zero.
            wave: `(clip, segment, sample)`, or `None`.
            present: `"visual"` or `"audio"` → `(clip,)`, which clips have it, where some lack it. Clips that have the
                same modalities run as a batch of their own.
        """
        if not present:
            return self._pool_alike(frames, wave)
        inputs = {"visual": frames, "audio": wave}
        groups = group_by_modalities(inputs, present, type(self).__name__)

        def pooled(group: ModalityGroup) -> dict[str, Tensor]:
            given = group.of(inputs)
            return self._pool_alike(given.get("visual"), given.get("audio"))._asdict()

        return Pooled(**run_by_groups(groups, len(next(iter(present.values()))), pooled))

    def run(self, frames: Tensor | None, wave: Tensor | None, *, taps: Sequence[str] = ()) -> Coupled:
        """Runs the lockstep alone; returns streams, maps and taps, whose frames are `(clip segment)`."""
        return self.coupled(self.stem_inputs(frames, wave), taps=taps)

    def stem_inputs(self, frames: Tensor | None, wave: Tensor | None) -> dict[str, Tensor | None]:
        """Returns the inputs of the lockstep's stems, whose frames are `(clip segment)`."""
        self._check_inputs(frames, wave)
        tell_segments(self.coupled.couplers, next(given.shape[1] for given in (frames, wave) if given is not None))
        pictures = None if frames is None else rearrange(frames, "clip segment c h w -> (clip segment) c h w")
        sounds = None if wave is None else self.sound(rearrange(wave, "clip segment sample -> (clip segment) sample"))
        return {"visual": pictures, "audio": sounds}

    def pool_streams(self, coupled: Coupled, clips: int) -> Pooled:
        """Pools the lockstep's result for `clips` clips."""
        found = {name: self._pool_stream(name, coupled) for name in coupled.streams if name in self.pooling}
        like = next(iter(found.values()))
        vectors = [found[name] if name in found else self._zeros(name, like) for name in Pooled._fields]
        return Pooled(*(rearrange(v, "(clip segment) c -> clip segment c", clip=clips) for v in vectors))

    @torch.no_grad()
    def features(self, clip: Clip) -> Pooled:
        """Computes the pooled features of one clip, `clip` being 1: for probes, retrieval, pictures."""
        return self.pool(clip.frames[None], clip.wave[None])

    def _pool_alike(self, frames: Tensor | None, wave: Tensor | None) -> Pooled:
        """Pools clips that all have the same modalities."""
        coupled = self.run(frames, wave)  # refuses clips that have neither
        clips = next(given.shape[0] for given in (frames, wave) if given is not None)
        return self.pool_streams(coupled, clips)

    def _pool_stream(self, name: str, coupled: Coupled) -> Tensor:
        """Pools one stream; by a map where one lies on the tokens that the encoder's head leaves."""
        read = self._final(name, coupled.streams[name])
        maps = {key: map for key, map in final_token_maps(coupled, name).items() if map.shape[1] == read.shape[1]}
        pooled: Tensor = self.pooling[name](read, maps)
        return pooled

    def _final(self, name: str, stream: Tensor) -> Tensor:
        """Applies the visual encoder's head, to both streams where they share it; HTS-AT's final norm is left out."""
        # released weights were trained on the streams as they are here
        encoders = self.coupled.streams
        return self.coupled.encoder(name).head(stream) if encoders[name] == encoders["visual"] else stream

    def _zeros(self, name: str, like: Tensor) -> Tensor:
        """Returns the vectors of a missing modality: zeros, of the width that they would have."""
        last = self.coupled.sites[name][-1]
        # the head of the encoder may change the width
        read = self._final(name, like.new_zeros(1, last.tokens, last.width))
        return like.new_zeros(len(like), read.shape[-1])

    def _check_inputs(self, frames: Tensor | None, wave: Tensor | None) -> None:
        """Refuses clips that the front end or the guidance over the clip was not built for."""
        if wave is not None and wave.shape[-1] != self.preprocess.rate:
            raise ValueError(
                f"{type(self).__name__}: wave has {wave.shape[-1]} samples a segment, but preprocess.rate="
                f"{self.preprocess.rate}: resample it."
            )
        name, given = ("frames", frames) if frames is not None else ("wave", wave)
        if given is None:
            raise ValueError(f"{type(self).__name__}: frames and wave are both None: at least one must be given.")
        clips, segments = given.shape[:2]
        guidance: list[Any] = [module for module in self.coupled.couplers.modules() if hasattr(module, "segments")]
        built = {int(block.segments) for block in guidance}
        if not segments or (clips > 1 and built - {segments}):  # shorter clips together would be taken for one
            raise ValueError(
                f"{type(self).__name__}: {name} holds {clips} clips of {segments} segments, but guidance over the clip "
                f"was built for segments={sorted(built)}: pass clips of another length one at a time."
            )


def map_makers(lockstep: Lockstep, stream: str) -> dict[str, str] | None:
    """Finds the maps over tokens by which adapters guide `stream` in the end, before any forward has run.

    The adapters run on the meta device, those of the last coupler first, until one makes such a map.

    Returns:
        Name of a map → name of the coupler that makes it last; `None` where an adapter cannot run without data.
    """
    sites = read_sites(lockstep)
    last = lockstep.sites[stream][-1].tokens
    for name, coupler in reversed(list(lockstep.couplers.items())):
        found: dict[str, str] = {}
        for edge in cast(Coupler, coupler).edges:
            here, there = sites[name][edge[1]], sites[name][edge[0]]
            if edge[1] != stream or here.tokens != last:
                continue
            adapter = shadow(coupler.get_submodule(edge_key(edge)))
            try:
                _, maps = adapter(*(torch.empty(1, site.tokens, site.width, device="meta") for site in (here, there)))
            except (RuntimeError, NotImplementedError):  # a block of one's own that looks at values
                return None
            found |= {key: name for key, map in maps.items() if map.shape[1] > 1 and map.shape[2] == 1}
        if found:
            return found
    return {}


def final_token_maps(coupled: Coupled, stream: str) -> dict[str, Tensor]:
    """Returns the maps of one value per token that guide `stream`: of each name the last, in the order of couplers.

    Names do not matter: a spatial map, a frequency map, or one of a block of the user's own.

    Returns:
        Name → `(frame, token, 1)`; the last entry is the last coupler's.
    """
    found: dict[str, Tensor] = {}
    for by_edge in coupled.maps.values():
        for (_, guided), maps in by_edge.items():
            if guided == stream:
                over_tokens = {name: map for name, map in maps.items() if map.shape[1] > 1 and map.shape[2] == 1}
                found = {name: map for name, map in found.items() if name not in over_tokens} | over_tokens
    return found
