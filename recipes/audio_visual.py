"""Two coupled encoders and what they are given: the part that models of any task on clips share."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.audio import LogMel, tile
from crossmodal.data import Clip, Preprocess
from crossmodal.heads import pooled
from crossmodal.injection import Coupled, Encoder, Lockstep
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

    def pooled(self, frames: Tensor, wave: Tensor) -> Features:
        """One vector a segment: pooled by the last coupler's spatial map, or by the mean where there is none."""
        coupled = self.run(frames, wave)
        visual = self.coupled.encoder("visual").head(coupled.streams["visual"])
        vectors = (
            pooled(visual, last_map(coupled, "visual")),
            pooled(coupled.streams["audio"], last_map(coupled, "audio")),
        )
        return Features(*(rearrange(v, "(clip segment) c -> clip segment c", clip=len(frames)) for v in vectors))

    def run(self, frames: Tensor, wave: Tensor, *, taps: Sequence[str] = ()) -> Coupled:
        """The lockstep alone: streams, maps and taps, frames being `(clip segment)`."""
        self._check(frames, wave)
        pictures = rearrange(frames, "clip segment c h w -> (clip segment) c h w")
        sounds = self.sound(rearrange(wave, "clip segment sample -> (clip segment) sample"))
        return self.coupled({"visual": pictures, "audio": sounds}, taps=taps)

    @torch.no_grad()
    def features(self, clip: Clip) -> Features:
        """The pooled features of one clip, `clip` being 1: for probes, retrieval, pictures."""
        return self.pooled(clip.frames[None], clip.wave[None])

    def _check(self, frames: Tensor, wave: Tensor) -> None:
        clips, segments = frames.shape[:2]
        if wave.shape[-1] != self.preprocess.rate:
            raise ValueError(
                f"{type(self).__name__}: wave has {wave.shape[-1]} samples a segment, but preprocess.rate="
                f"{self.preprocess.rate}: resample it."
            )
        built = {module.segments for module in self.coupled.couplers.modules() if hasattr(module, "segments")}
        if not segments or (clips > 1 and built - {segments}):  # shorter clips together would be taken for one
            raise ValueError(
                f"{type(self).__name__}: frames holds {clips} clips of {segments} segments, but guidance over the clip "
                f"was built for segments={sorted(built)}: pass clips of another length one at a time."
            )


def last_map(coupled: Coupled, stream: str, name: str = "spatial") -> Tensor | None:
    """The map of that name by which the last coupler that has one guides `stream`; `None` where there is none."""
    for by_edge in reversed(coupled.maps.values()):
        for (_, guided), maps in by_edge.items():
            if guided == stream and name in maps:
                return maps[name]
    return None
