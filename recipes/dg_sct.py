"""DG-SCT by the equations of its paper: dual-guided spatial-channel-temporal attention between two frozen encoders.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. What its authors' code computes instead stands in `dg_sct_released`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import nn

from crossmodal.adapters import (
    AdapterFactory,
    AdapterOrder,
    AlignmentFactory,
    Bottleneck,
    Control,
    GuidanceFactory,
    Modulations,
    ResidualModulated,
    Sized,
    guided_adapter,
    modulation_of,
    true_guide,
)
from crossmodal.alignment import learned_alignment
from crossmodal.guidance import ChannelGuidance, ClipGuidance, SpatialGuidance
from crossmodal.injection import Edge, Encoder, Lockstep, Step, couple, paired_as_paper
from crossmodal.site import Site


def dg_sct(
    visual: Encoder,
    audio: Encoder,
    guides: Mapping[str, Encoder] | None = None,
    *,
    channel: GuidanceFactory | None = ChannelGuidance,
    spatial: GuidanceFactory | None = SpatialGuidance,
    frequency: Callable[[int, int, Sequence[int]], nn.Module] | None = None,
    temporal: GuidanceFactory | None = ClipGuidance,
    alpha: float = 0.3,
    beta: float = 0.05,
    gamma: float = 0.1,
    align: AlignmentFactory = learned_alignment,
    latents: int | Sized = 32,
    bottleneck: Sized = Bottleneck,
    order: AdapterOrder = ResidualModulated,
    adapter: AdapterFactory | None = None,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_paper,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    r"""Couples two frozen encoders that guide each other at every half-block, both ways.

    In every adapter $x' = (\alpha M_c + \beta M_s + 1) \odot x$, then $x'' = (\gamma M_t + 1) \odot x'$, where $x$ is
    the residual that the bottleneck writes. The released code modulates before the bottleneck, whose entry norm undoes
    the temporal map and nearly all of the spatial one; `order=GuidedAdapter` is that order.

    Args:
        visual: Encoder of frames; frozen in place.
        audio: Encoder of sounds; frozen in place.
        guides: More streams that guide both, as `couple` takes them; a system that couples so feeds them.
        channel: Channel guidance, called with the widths of stream and cue; `None` leaves it out.
        spatial: Spatial guidance, likewise.
        frequency: Guidance that takes the place of `spatial` on streams with bands; also called with `bands=`.
        temporal: Temporal guidance, likewise.
        alpha: Weight of the channel map.
        beta: Weight of the spatial or frequency map.
        gamma: Weight of the temporal map.
        align: Alignment of the guide, as `guided_adapter` takes it.
        latents: Latent tokens of an adapter, or a factory of them.
        bottleneck: Factory of the bottleneck that writes the residual.
        order: Order of the blocks in an adapter, as `guided_adapter` takes it.
        adapter: An adapter of your own, called with both sites, instead of all of the above.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        guide: What the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
    """

    def modulation(stream: Site) -> Modulations:
        where = {"spatial": (spatial, beta)}
        if frequency and "frequency" in stream.axes:  # an image has no bands: it keeps its spatial map
            in_bands: Callable[..., nn.Module] = frequency  # its type cannot say that `bands` goes by name
            where = {"frequency": (partial(in_bands, bands=stream.axes["frequency"]), beta)}
        return Modulations(
            modulation_of(stream.width, {"channel": (channel, alpha), **where}, base=1.0),
            modulation_of(stream.width, {"temporal": (temporal, gamma)}, base=1.0),
        )

    guided = partial(
        guided_adapter, align=align, latents=latents, modulation=modulation, bottleneck=bottleneck, order=order
    )
    return couple(visual, audio, adapter=adapter or guided, pairing=pairing, edges=edges, guide=guide, guides=guides)
