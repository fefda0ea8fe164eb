"""Classification of clips, one label each, by sight and sound: complete models, at full size and at laptop size."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from crossmodal.audio import LogMel
from crossmodal.data import Preprocess
from crossmodal.data.world import COLOURS, TINY
from crossmodal.encoders.by_name.released import EncoderWeights, full_size_encoders
from crossmodal.encoders.by_name.tiny import tiny_audio, tiny_log_mel, tiny_visual
from crossmodal.injection import Lockstep
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.shapes import check_width, shaped
from crossmodal.tasks.coupled_system import AudioVisual, Coupling, Sound


class ClipHead(nn.Module):
    """The class of a clip: both modalities normalised a segment, averaged over the clip, read by one linear layer.

    Shapes: visual `(clip, segment, visual)`, audio `(clip, segment, audio)` → logits `(clip, class)`.
    """

    def __init__(self, visual: int, audio: int, classes: int):
        """Widths of the pooled streams, and how many classes there are."""
        super().__init__()
        self.visual_norm, self.audio_norm = nn.LayerNorm(visual), nn.LayerNorm(audio)
        self.readout = nn.Linear(visual + audio, classes)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment visual_channel"],
        audio: Float[Tensor, "clip segment audio_channel"],
    ) -> Float[Tensor, "clip label"]:
        """Scores of clips."""
        check_width(self, "visual", visual, self.visual_norm.normalized_shape[0])
        check_width(self, "audio", audio, self.audio_norm.normalized_shape[0])
        return self.readout(torch.cat([self.visual_norm(visual), self.audio_norm(audio)], dim=2).mean(1))


class AudioVisualClasses(AudioVisual):
    """Coupled encoders, pooling and a head on whole clips: clips in, logits of their classes out.

    - `coupled`: the lockstep of a visual and an audio stream.
    - `sound`: wave `(frame, sample)` → what the audio encoder takes.
    - `head`: `(visual, audio) -> logits`, on `(clip, segment, channel)`.
    - `preprocess`: what its clips look like. `classes`: names of the labels.
    """

    def __init__(
        self,
        coupled: Lockstep,
        *,
        sound: nn.Module,
        head: nn.Module,
        preprocess: Preprocess,
        classes: Sequence[str],
    ):
        super().__init__(coupled, sound=sound, preprocess=preprocess, classes=classes)
        self.head = head

    @shaped
    def forward(
        self,
        frames: Float[Tensor, "clip segment 3 height width"] | None,
        wave: Float[Tensor, "clip segment sample"] | None = None,
        *,
        present: Mapping[str, Bool[Tensor, " clip"]] | None = None,
    ) -> Float[Tensor, "clip label"]:
        """The logits of clips as `preprocess` makes them.

        - `frames`, `wave`: `None` for what no clip has. `present`: `"visual"` or `"audio"` → which clips have it, where
          some lack it. What is missing guides nothing, and its vectors are zero.
        """
        return self.head(*self.pooled(frames, wave, present=present))


def full_size(
    *,
    coupled: Coupling = dg_sct,
    classes: Sequence[str] = COLOURS[:6],
    weights: EncoderWeights | str | None = None,
) -> AudioVisualClasses:
    """Swin-V2-L at 192² and HTS-AT on ten seconds at 32 kHz.

    - `coupled`: the recipe that couples the encoders.
    - `classes`: names of the labels.
    - `weights`: `EncoderWeights(visual=…, audio=…)` fills the encoders; with `None` they are random.

    Raises `ValueError` for the file of a whole model, whose head is another; else as the importers do.
    """
    if isinstance(weights, str):
        raise ValueError(
            f"classify.full_size: weights={weights!r} is a whole model, which has no head for classes: give "
            "EncoderWeights(visual=…, audio=…), or --weights.visual and --weights.audio."
        )
    return AudioVisualClasses(
        coupled(*full_size_encoders(weights or EncoderWeights())),
        sound=Sound(LogMel(), 320_000),
        head=ClipHead(1536, 768, len(classes)),
        preprocess=Preprocess(192, 32_000),
        classes=classes,
    )


def tiny(*, coupled: Coupling = dg_sct, classes: Sequence[str] = COLOURS[:6]) -> AudioVisualClasses:
    """Two encoders of less than a million parameters together, pre-trained on the built-in world, for a laptop.

    - `coupled`: the recipe that couples the encoders.
    - `classes`: names of the labels; the default are those of the built-in world.
    """
    visual, audio, sound = tiny_visual(), tiny_audio(), tiny_log_mel()
    return AudioVisualClasses(
        coupled(visual, audio),
        sound=Sound(sound, TINY.rate),
        head=ClipHead(visual.sites[-1].width, audio.sites[-1].width, len(classes)),
        preprocess=TINY,
        classes=classes,
    )
