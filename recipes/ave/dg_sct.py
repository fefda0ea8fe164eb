"""Audio-visual event localisation (AVE): complete models, at full size and at laptop size.

The models were never trained on the real data here: their numbers on AVE are not known.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from crossmodal.audio import LogMel
from crossmodal.checkpoints import import_dg_sct_ave, read_weights
from crossmodal.data import AVE_CLASSES, Preprocess
from crossmodal.data.world import COLOURS, TINY
from crossmodal.encoders.by_name.released import EncoderWeights, full_size_encoders, logger
from crossmodal.encoders.by_name.tiny import tiny_audio, tiny_log_mel, tiny_visual
from crossmodal.heads import EventHead, Events, TemporalAttention
from crossmodal.injection import Lockstep
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.shapes import shaped
from crossmodal.tasks.coupled_system import AudioVisual, Coupling, Sound
from crossmodal.tasks.coupled_system import Features as Features
from crossmodal.tasks.coupled_system import last_map as last_map


class AudioVisualEvents(AudioVisual):
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
        super().__init__(coupled, sound=sound, preprocess=preprocess, classes=classes)
        self.temporal, self.head = temporal, head

    @shaped
    def forward(
        self,
        frames: Float[Tensor, "clip segment 3 height width"] | None,
        wave: Float[Tensor, "clip segment sample"] | None = None,
        *,
        present: Mapping[str, Bool[Tensor, " clip"]] | None = None,
    ) -> Events:
        """The events of clips as `preprocess` makes them.

        - `frames`, `wave`: `None` for what no clip has. `present`: `"visual"` or `"audio"` → which clips have it, where
          some lack it. What is missing guides nothing, and its vectors are zero.
        """
        return self.head(self.temporal(*self.pooled(frames, wave, present=present)))


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
