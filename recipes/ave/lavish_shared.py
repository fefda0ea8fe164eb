"""LAVisH as published on audio-visual event localisation: one frozen image encoder sees the frames, and the sound.

Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023, and its released
code. It was never trained on the real AVE here: its score there is not known.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import nn

from crossmodal.adapters import Bottleneck, Sized
from crossmodal.audio.fbank import AVE, FbankPicture
from crossmodal.checkpoints import import_lavish_ave, read_weights
from crossmodal.data import AVE_CLASSES
from crossmodal.data.world import COLOURS
from crossmodal.heads import MeanPooling, PoolFactory, SegmentHead
from crossmodal.heads.objectives import Objective, segment_binary_cross_entropy
from crossmodal.injection import Edge, Step, paired_as_paper
from crossmodal.named_draws import drawn
from crossmodal.recipes.lavish import lavish_shared as couple_shared
from crossmodal.tasks.event_system import CoupledSegments
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.shared_encoder import shared_pair

logger = logging.getLogger("crossmodal")

SETTINGS = Settings(optim={"lr": 1e-4, "decay": 0.35, "every": 3}, trainer={"max_epochs": 50}, data={"batch_size": 2})
"""The adapters' numbers of its second script; one rate for all, where the script gives the head 5e-6."""


def ave_picture(size: int) -> FbankPicture:
    """Builds the pictures of sound: one second each, of rows 5.2 ms apart; the last of them are padding.

    Args:
        size: Side of a picture.
    """
    return FbankPicture(size, seconds=1.0, shift=0.0052, statistics=AVE)


def lavish_shared(
    visual: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    latents: int | Sized = 2,
    bottleneck: Sized = Bottleneck,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_paper,
    edges: tuple[Edge, ...] | None = None,
    sound: Callable[[int], nn.Module] = ave_picture,
    pool: PoolFactory = MeanPooling,
    head: Callable[[int, int, int], nn.Module] = SegmentHead,
    objective: Objective = segment_binary_cross_entropy,
    weights: str | Path | None = None,
    visual_weights: str | Path | None = None,
) -> CoupledSegments:
    """Builds the system on one image encoder by name.

    Args:
        visual: Encoder of both modalities: `tiny`, `swin_v2_l` (published), `timm:NAME`.
        classes: Names of the events; background is not counted.
        latents: Latent tokens of an adapter, or a factory of them.
        bottleneck: Factory of the bottleneck that writes the residual.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        sound: Builds the front end of the sound from the side of a picture.
        pool: Builds the pooling of a stream over its tokens.
        head: Builds the head from the width of both pooled streams and the number of labels, background included.
        objective: Loss of the scores; `segment_cross_entropy` has gradients of the usual size.
        weights: File of a released model, which fills encoder, adapters and head.
        visual_weights: File of weights of the encoder, or `pretrained`; without it it is random (save `tiny`).

    Raises:
        ValueError: As the importer does, if `weights` do not fit.
    """
    found = None if weights is None else read_weights(weights)
    coupling = partial(couple_shared, latents=latents, bottleneck=bottleneck, pairing=pairing, edges=edges)
    # on meta no time and memory goes into random weights that the file replaces
    with nullcontext() if found is None else torch.device("meta"):
        pair = shared_pair(visual, coupling=coupling, sound=sound, visual_weights=visual_weights)
        top = drawn("head", head, *pair.widths, len(classes) + 1)
    system = CoupledSegments(pair, head=top, classes=classes, objective=objective, pool=pool)
    if found is not None:
        logger.info("%s", import_lavish_ave(system, found))
    return system


RELEASED = partial(lavish_shared, "swin_v2_l", classes=AVE_CLASSES)
"""Builds the model of a released checkpoint, given `weights=`; `crossmodal ave reproduce` runs it."""
