"""LAVisH: latent tokens and a bottleneck between frozen encoders, without guidance. DG-SCT grew out of it.

Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023; the form with two
encoders is the LAVisH* of DG-SCT's tables, whose code was not released: its structure follows from its size.
"""

from collections.abc import Callable
from functools import partial

from crossmodal.adapters import AlignmentFactory, Bottleneck, Control, Sized, guided_adapter, true_guide, unmodulated
from crossmodal.alignment import identity_alignment, learned_alignment
from crossmodal.injection import (
    Edge,
    Encoder,
    Lockstep,
    Step,
    couplers_for,
    freeze,
    paired_as_paper,
    paired_as_released,
)


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
    """Two frozen encoders that exchange latent tokens where their blocks meet; keywords as in `dg_sct`."""
    encoders = {"visual": freeze(visual), "audio": freeze(audio)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = pairing(sites)
    factory = partial(guided_adapter, align=align, latents=latents, modulation=unmodulated, bottleneck=bottleneck)
    return Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, guide(factory), edges=edges))


def lavish_shared(
    encoder: Encoder,
    *,
    latents: int | Sized = 2,
    bottleneck: Sized = Bottleneck,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_paper,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    """One frozen image encoder for both modalities: frames, and spectrograms given to it as pictures.

    Both streams share grid and width at every site, so nothing is aligned. Keywords as in `dg_sct`.
    """
    encoders, streams = {"shared": freeze(encoder)}, {"visual": "shared", "audio": "shared"}
    sites = dict.fromkeys(streams, encoder.sites)
    steps = pairing(sites)
    factory = partial(
        guided_adapter, align=identity_alignment, latents=latents, modulation=unmodulated, bottleneck=bottleneck
    )
    couplers = couplers_for(steps, sites, guide(factory), edges=edges)
    return Lockstep(encoders, streams=streams, steps=steps, couplers=couplers)
