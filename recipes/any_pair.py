"""Any two encoders by name, frozen and coupled: models of the tasks on clips, whatever their encoders are."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from crossmodal.alignment import resampled_alignment
from crossmodal.data import Preprocess
from crossmodal.data.world import COLOURS
from crossmodal.encoders.by_name import audio_backbone, visual_backbone
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.injection import Lockstep, paired_by_depth
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.recipes.classify.dg_sct import AudioVisualClasses, ClipHead
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.coupled_system import AudioVisual, Coupling

COUPLED: Coupling = partial(dg_sct, align=resampled_alignment, pairing=paired_by_depth)
"""DG-SCT where nothing is learned for one grid, and where blocks meet at the same relative depth."""


class Pair(NamedTuple):
    """Two coupled encoders, the widths of what they give, what makes the input of a sound, and what clips look like."""

    coupled: Lockstep
    widths: tuple[int, int]
    sound: nn.Module
    preprocess: Preprocess


def events(pair: Pair, classes: Sequence[str], width: int) -> AudioVisualEvents:
    """A model of audio-visual events: temporal attention of that width, and the event head."""
    return AudioVisualEvents(
        pair.coupled,
        sound=pair.sound,
        temporal=TemporalAttention(*pair.widths, width=width, gamma=0.1),
        head=EventHead(width, len(classes)),
        preprocess=pair.preprocess,
        classes=classes,
    )


def clip_classes(pair: Pair, classes: Sequence[str], width: int) -> AudioVisualClasses:
    """A classifier of clips; `width` is not used: its head has none."""
    head = ClipHead(*pair.widths, len(classes))
    return AudioVisualClasses(pair.coupled, sound=pair.sound, head=head, preprocess=pair.preprocess, classes=classes)


def any_pair(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    coupled: Coupling = COUPLED,
    classes: Sequence[str] = COLOURS[:6],
    task: Callable[[Pair, Sequence[str], int], AudioVisual] = events,
    width: int = 256,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    visual_size: int | None = None,
    visual_options: Mapping[str, Any] | None = None,
    audio_options: Mapping[str, Any] | None = None,
) -> AudioVisual:
    """A model on two encoders by name, frozen and coupled by a recipe.

    - `visual`: `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`, `swin_v2_l` or `tiny`.
    - `audio`: `htsat`, `transformers:FOLDER` (CLAP) or `tiny`.
    - `coupled`: the recipe; by default `dg_sct` with resampled guides, paired by depth.
    - `classes`: names of what it tells apart.
    - `task`: what is put on the pair: `events`, `clip_classes`, or yours. `width`: of the heads of `events`.
    - `visual_weights`, `audio_weights`: files, or `"pretrained"`; with `None` an encoder is random (save `tiny`, and a
      folder that has weights), and a warning says so.
    - `visual_size`: side of a frame in pixels. `visual_options`, `audio_options`: what else the libraries are told.

    Raises as `visual_backbone`, `audio_backbone` and the recipe do.
    """
    sight = visual_backbone(visual, weights=visual_weights, size=visual_size, options=visual_options or {})
    hearing = audio_backbone(audio, weights=audio_weights, options=audio_options or {})
    pair = Pair(
        coupled(sight.encoder, hearing.encoder),
        (sight.width, hearing.width),
        hearing.sound,
        Preprocess(sight.size, hearing.rate, sight.mean, sight.std),
    )
    return task(pair, classes, width)


any_pair_classes = partial(any_pair, task=clip_classes)
"""`any_pair` for `crossmodal classify`."""
