"""LAVisH: latent tokens and a bottleneck between frozen encoders, without guidance. DG-SCT grew out of it.

Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023; the form with two
encoders is the LAVisH* of DG-SCT's tables, whose code was not released: its structure follows from its size.
"""

from collections.abc import Callable
from functools import partial

from crossmodal.adapters import (
    AlignmentFactory,
    Bottleneck,
    Control,
    GuidedAdapter,
    Sized,
    guided_adapter,
    true_guide,
    unmodulated,
)
from crossmodal.alignment import identity_alignment, learned_alignment
from crossmodal.injection import Edge, Encoder, Lockstep, Step, couple, paired_as_paper, paired_as_released


def lavish(
    visual: Encoder,
    audio: Encoder,
    *,
    align: AlignmentFactory = learned_alignment,
    latents: int | Sized = 32,
    bottleneck: Sized = Bottleneck,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_released,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    """Couples two frozen encoders that exchange latent tokens where their blocks meet.

    Args:
        visual: Encoder of frames; frozen in place.
        audio: Encoder of sounds; frozen in place.
        align: Alignment of the guide, as `guided_adapter` takes it.
        latents: Latent tokens of an adapter, or a factory of them.
        bottleneck: Factory of the bottleneck that writes the residual.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        guide: What the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
    """
    adapter = partial(
        guided_adapter,
        align=align,
        latents=latents,
        modulation=unmodulated,
        bottleneck=bottleneck,
        order=GuidedAdapter,  # without maps every order computes the same; this one multiplies nothing afterwards
    )
    return couple(visual, audio, adapter=adapter, pairing=pairing, edges=edges, guide=guide)


def lavish_shared(
    encoder: Encoder,
    *,
    latents: int | Sized = 2,
    bottleneck: Sized = Bottleneck,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_paper,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    """Couples one frozen image encoder with itself: frames, and spectrograms given to it as pictures.

    Both streams share grid and width at every site, so nothing is aligned.

    Args:
        encoder: Encoder of both streams; frozen in place.
        latents: Latent tokens of an adapter, or a factory of them.
        bottleneck: Factory of the bottleneck that writes the residual.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        guide: What the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
    """
    return lavish(
        encoder,
        encoder,
        align=identity_alignment,  # one encoder: guide and stream have one grid and width
        latents=latents,
        bottleneck=bottleneck,
        pairing=pairing,
        edges=edges,
        guide=guide,
    )
