"""DG-SCT as its authors' code computes it, on audio-visual events; `dg_sct` holds the equations of the paper.

Where the two part: the base of the modulation is 1 - α, no temporal map is inside the adapters, an audio block runs
whole beside the first half of its visual partner, and half of Swin-V2-L's blocks stand alone.
"""

from collections.abc import Callable
from functools import partial

from crossmodal.adapters import (
    AdapterFactory,
    AdapterOrder,
    AlignmentFactory,
    Bottleneck,
    Control,
    GuidanceFactory,
    GuidedAdapter,
    Modulation,
    Sized,
    guided_adapter,
    modulation_of,
    true_guide,
)
from crossmodal.alignment import learned_alignment
from crossmodal.guidance import ChannelGuidance, SpatialGuidance
from crossmodal.injection import Edge, Encoder, Lockstep, Step, couple, paired_as_released
from crossmodal.site import Site


def dg_sct_released(
    visual: Encoder,
    audio: Encoder,
    *,
    channel: GuidanceFactory | None = ChannelGuidance,
    spatial: GuidanceFactory | None = SpatialGuidance,
    temporal: GuidanceFactory | None = None,
    alpha: float = 0.3,
    beta: float = 0.05,
    gamma: float = 0.05,
    align: AlignmentFactory = learned_alignment,
    latents: int | Sized = 32,
    bottleneck: Sized = Bottleneck,
    order: AdapterOrder = GuidedAdapter,
    adapter: AdapterFactory | None = None,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_released,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    r"""Couples two frozen encoders that guide each other where their blocks meet, both ways.

    In every adapter $x' = (\alpha M_c + \beta M_s + 1 - \alpha) \odot x$; `temporal=SegmentGuidance` adds
    $\gamma M_t$ to the sum, as the few-shot models have it. On Swin-V2-L and HTS-AT the couplers hold 188,538,816
    parameters. The numbers are those of AVE.

    Args:
        visual: Encoder of frames; frozen in place.
        audio: Encoder of sounds; frozen in place.
        channel: Channel guidance, called with the widths of stream and cue; `None` leaves it out.
        spatial: Spatial guidance, likewise.
        temporal: Temporal guidance, likewise.
        alpha: Weight of the channel map.
        beta: Weight of the spatial map.
        gamma: Weight of the temporal map.
        align: Alignment of the guide, as `guided_adapter` takes it.
        latents: Latent tokens of an adapter, or a factory of them.
        bottleneck: Factory of the bottleneck that writes the residual.
        order: Order of the blocks in an adapter. In the released one, `GuidedAdapter`, the entry norm of the
            bottleneck leaves next to nothing of a spatial map and nothing of a temporal one.
        adapter: An adapter of your own, called with both sites, instead of all of the above.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        guide: What the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
    """

    def modulation(stream: Site) -> Modulation:
        guidance = {"channel": (channel, alpha), "spatial": (spatial, beta), "temporal": (temporal, gamma)}
        # the base gives up the weight of the channel map: without that map, it keeps all of it
        return modulation_of(stream.width, guidance, base=1 - alpha if channel else 1.0)

    guided = partial(
        guided_adapter, align=align, latents=latents, modulation=modulation, bottleneck=bottleneck, order=order
    )
    return couple(visual, audio, adapter=adapter or guided, pairing=pairing, edges=edges, guide=guide)
