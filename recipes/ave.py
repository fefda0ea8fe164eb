"""Audio-visual event localisation (AVE): complete models, at full size and at laptop size.

The models were never trained on the real data here: their numbers on AVE are not known.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.audio import LogMel, tile
from crossmodal.checkpoints import import_dg_sct_ave, read_weights
from crossmodal.data import AVE_CLASSES, Clip, Preprocess
from crossmodal.data.world import COLOURS, TINY
from crossmodal.heads import EventHead, Events, TemporalAttention, pooled
from crossmodal.injection import Coupled, Encoder, Lockstep
from crossmodal.shapes import shaped

from .dg_sct import dg_sct
from .encoder_weights import EncoderWeights, full_size_encoders, logger
from .tiny_encoders import tiny_audio, tiny_log_mel, tiny_visual

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


class AudioVisualEvents(nn.Module):
    """Coupled encoders, pooling, temporal attention and the event head: clips in, events out.

    - `coupled`: the lockstep of a visual and an audio stream.
    - `sound`: wave `(frame, sample)` → what the audio encoder takes.
    - `temporal`: `(visual, audio) -> Attended`, on `(clip, segment, channel)`.
    - `head`: `Attended -> Events`.
    - `preprocess`: what its clips look like. `classes`: names of the events, background not counted.

    Source: DG-SCT on AVE. Swin's final norm is applied, HTS-AT's is not, as in the released code.
    """

    def __init__(
        self,
        coupled: Lockstep,
        *,
        sound: nn.Module,
        temporal: nn.Module,
        head: nn.Module,
        preprocess: Preprocess,
        classes: Sequence[str],
    ):
        super().__init__()
        self.coupled, self.sound, self.temporal, self.head = coupled, sound, temporal, head
        self.preprocess, self.classes = preprocess, tuple(classes)

    @shaped
    def forward(
        self, frames: Float[Tensor, "clip segment 3 height width"], wave: Float[Tensor, "clip segment sample"]
    ) -> Events:
        """The events of clips as `preprocess` makes them."""
        return self.head(self.temporal(*self.pooled(frames, wave)))

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
                f"AudioVisualEvents: wave has {wave.shape[-1]} samples a segment, but preprocess.rate="
                f"{self.preprocess.rate}: resample it."
            )
        built = {module.segments for module in self.coupled.couplers.modules() if hasattr(module, "segments")}
        if not segments or (clips > 1 and built - {segments}):  # shorter clips together would be taken for one
            raise ValueError(
                f"AudioVisualEvents: frames holds {clips} clips of {segments} segments, but guidance over the clip was "
                f"built for segments={sorted(built)}: pass clips of another length one at a time."
            )


def last_map(coupled: Coupled, stream: str, name: str = "spatial") -> Tensor | None:
    """The map of that name by which the last coupler that has one guides `stream`; `None` where there is none."""
    for by_edge in reversed(coupled.maps.values()):
        for (_, guided), maps in by_edge.items():
            if guided == stream and name in maps:
                return maps[name]
    return None


def full_size(
    *,
    coupled: Coupling = dg_sct,
    classes: Sequence[str] = AVE_CLASSES,
    weights: EncoderWeights | str | Path | None = None,
) -> AudioVisualEvents:
    """Swin-V2-L at 192² and HTS-AT on ten seconds at 32 kHz.

    - `coupled`: the recipe that couples the encoders.
    - `classes`: names of the events.
    - `weights`: `EncoderWeights(visual=…, audio=…)` fills the encoders, and leaves the rest to be trained; the file of
      a released DG-SCT of AVE, or `"dg_sct_ave"`, fills the whole model, which then is `coupled=dg_sct_released`. With
      `None` all weights are random: the sizes are real, what the encoders know is not there.

    What became of every tensor of a file is logged by `crossmodal` at level `INFO`. Raises as the importers do.
    """
    parts = weights if isinstance(weights, EncoderWeights) else EncoderWeights()
    whole = None if weights is None or weights is parts else read_weights(weights)
    with torch.device("meta") if whole else nullcontext():
        model = AudioVisualEvents(
            coupled(*full_size_encoders(parts)),
            sound=Sound(LogMel(), 320_000),
            temporal=TemporalAttention(1536, 768, width=256, gamma=0.1),
            head=EventHead(256, len(classes)),
            preprocess=Preprocess(192, 32_000),
            classes=classes,
        )
    if whole:
        logger.info("%s", import_dg_sct_ave(model, whole))
    return model


def tiny(*, coupled: Coupling = dg_sct, classes: Sequence[str] = COLOURS[:6]) -> AudioVisualEvents:
    """Two encoders of less than a million parameters together, pre-trained on the built-in world, for a laptop.

    - `coupled`: the recipe that couples the encoders.
    - `classes`: names of the events; the default are those of the built-in world.
    """
    visual, audio, sound = tiny_visual(), tiny_audio(), tiny_log_mel()
    return AudioVisualEvents(
        coupled(visual, audio),
        sound=Sound(sound, TINY.rate),
        temporal=TemporalAttention(visual.sites[-1].width, audio.sites[-1].width, width=64, gamma=0.1),
        head=EventHead(64, len(classes)),
        preprocess=TINY,
        classes=classes,
    )
