"""Two coupled encoders and what they are given: the part that models of any task on clips share."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.audio import LogMel, tile
from crossmodal.data import Clip, Preprocess
from crossmodal.heads import pooled
from crossmodal.injection import Coupled, Encoder, Lockstep
from crossmodal.injection.missing import group_by_modalities, scatter
from crossmodal.shapes import shaped

Coupling = Callable[[Encoder, Encoder], Lockstep]
"""A recipe such as `dg_sct`, or a partial of it: `(visual, audio) -> Lockstep`."""


class Features(NamedTuple):
    """One vector a segment and modality, before the heads."""

    visual: Float[Tensor, "clip segment visual_channel"]
    audio: Float[Tensor, "clip segment audio_channel"]


class Sound(nn.Module):
    """Seconds of sound as an audio encoder takes them: each repeated to `length` samples, then its log-mel."""

    def __init__(self, log_mel: LogMel, length: int):
        """`log_mel`: the front end. `length`: samples that every second is repeated to (released: ten seconds)."""
        super().__init__()
        self.log_mel, self.length = log_mel, length

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame time mel"]:
        """The log-mel in dB."""
        return self.log_mel(tile(wave, self.length))

    def extra_repr(self) -> str:
        return f"length={self.length}"


class AudioVisual(nn.Module):
    """Clips in, one vector a segment and modality out: what a model of a task puts its head on.

    - `coupled`: the lockstep of a visual and an audio stream.
    - `sound`: wave `(frame, sample)` → what the audio encoder takes.
    - `preprocess`: what its clips look like. `classes`: names of what it tells apart, background not counted.
    """

    def __init__(self, coupled: Lockstep, *, sound: nn.Module, preprocess: Preprocess, classes: Sequence[str]):
        super().__init__()
        self.coupled, self.sound = coupled, sound
        self.preprocess, self.classes = preprocess, tuple(classes)

    def pooled(
        self, frames: Tensor | None, wave: Tensor | None, *, present: Mapping[str, Tensor] | None = None
    ) -> Features:
        """One vector a segment: pooled by the last coupler's spatial map, or by the mean where there is none.

        - `frames`, `wave`: `None` for what no clip has: it guides nothing, and its vectors are zero.
        - `present`: `"visual"` or `"audio"` → which clips have it, where some lack it. Clips that have the same run as
          a batch of their own.
        """
        if not present:
            return self._pooled(frames, wave)
        inputs = {"visual": frames, "audio": wave}
        groups = group_by_modalities(inputs, present, type(self).__name__)
        given = [(group.rows, group.of(inputs)) for group in groups]
        parts = [(rows, self._pooled(of.get("visual"), of.get("audio"))._asdict()) for rows, of in given]
        return Features(**scatter(parts, len(next(iter(present.values())))))

    def run(self, frames: Tensor | None, wave: Tensor | None, *, taps: Sequence[str] = ()) -> Coupled:
        """The lockstep alone: streams, maps and taps, frames being `(clip segment)`; `None` for what is missing."""
        return self.coupled(self.inputs(frames, wave), taps=taps)

    def inputs(self, frames: Tensor | None, wave: Tensor | None) -> dict[str, Tensor | None]:
        """What the stems of the lockstep take, frames being `(clip segment)`."""
        self._check(frames, wave)
        pictures = None if frames is None else rearrange(frames, "clip segment c h w -> (clip segment) c h w")
        sounds = None if wave is None else self.sound(rearrange(wave, "clip segment sample -> (clip segment) sample"))
        return {"visual": pictures, "audio": sounds}

    def _pooled(self, frames: Tensor | None, wave: Tensor | None) -> Features:
        """Of clips that all have the same modalities."""
        return self.pooled_from(self.run(frames, wave), len(frames if wave is None else wave))

    def pooled_from(self, coupled: Coupled, clips: int) -> Features:
        """One vector a segment and modality of so many clips, from what the lockstep gave."""
        found = {name: self._vectors(name, coupled) for name in coupled.streams}
        like = next(iter(found.values()))
        vectors = [found[name] if name in found else self._nothing(name, like) for name in Features._fields]
        return Features(*(rearrange(v, "(clip segment) c -> clip segment c", clip=clips) for v in vectors))

    def _vectors(self, name: str, coupled: Coupled) -> Tensor:
        """A vector a frame; by a map where one lies on the tokens that the head leaves."""
        read, map = self._read(name, coupled.streams[name]), last_map(coupled, name)
        return pooled(read, map if map is not None and map.shape[1] == read.shape[1] else None)

    def _read(self, name: str, stream: Tensor) -> Tensor:
        """The stream that is pooled: the visual encoder's head is applied, the audio encoder's is not."""
        return self.coupled.encoder("visual").head(stream) if name == "visual" else stream

    def _nothing(self, name: str, like: Tensor) -> Tensor:
        """Vectors of what is missing: zeros, of the width that they would have."""
        last = self.coupled.sites[name][-1]
        read = self._read(name, like.new_zeros(1, last.tokens, last.width))
        return like.new_zeros(len(like), read.shape[-1])

    @torch.no_grad()
    def features(self, clip: Clip) -> Features:
        """The pooled features of one clip, `clip` being 1: for probes, retrieval, pictures."""
        return self.pooled(clip.frames[None], clip.wave[None])

    def _check(self, frames: Tensor | None, wave: Tensor | None) -> None:
        if wave is not None and wave.shape[-1] != self.preprocess.rate:
            raise ValueError(
                f"{type(self).__name__}: wave has {wave.shape[-1]} samples a segment, but preprocess.rate="
                f"{self.preprocess.rate}: resample it."
            )
        name, given = ("frames", frames) if frames is not None else ("wave", wave)
        if given is None:
            raise ValueError(f"{type(self).__name__}: frames and wave are both None: at least one must be given.")
        clips, segments = given.shape[:2]
        built = {module.segments for module in self.coupled.couplers.modules() if hasattr(module, "segments")}
        if not segments or (clips > 1 and built - {segments}):  # shorter clips together would be taken for one
            raise ValueError(
                f"{type(self).__name__}: {name} holds {clips} clips of {segments} segments, but guidance over the clip "
                f"was built for segments={sorted(built)}: pass clips of another length one at a time."
            )


def last_map(coupled: Coupled, stream: str, name: str = "spatial") -> Tensor | None:
    """The map of that name by which the last coupler that has one guides `stream`; `None` where there is none."""
    for by_edge in reversed(coupled.maps.values()):
        for (_, guided), maps in by_edge.items():
            if guided == stream and name in maps:
                return maps[name]
    return None
