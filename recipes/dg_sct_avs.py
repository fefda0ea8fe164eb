"""DG-SCT's coupling as its authors' segmentation code computes it, and the same without maps, as LAVisH has it there.

It differs from `dg_sct_released` in the bottleneck: no norm on entry, no batch norm, the gate before the last norm on
the image side, and no gate at all on the sound side, whose residual is therefore not zero before training.
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from crossmodal.adapters import (
    AdapterFactory,
    AlignmentFactory,
    Bottleneck,
    Control,
    GateThenNorm,
    GuidanceFactory,
    GuidedAdapter,
    Modulation,
    guided_adapter,
    modulation_of,
    true_guide,
)
from crossmodal.alignment import learned_alignment
from crossmodal.attention.latent import LatentTokens
from crossmodal.guidance import ChannelGuidance, SpatialGuidance
from crossmodal.injection import Edge, Encoder, Lockstep, Step, couple, paired_as_released
from crossmodal.site import Site


def dg_sct_avs(
    visual: Encoder,
    audio: Encoder,
    *,
    channel: GuidanceFactory | None = ChannelGuidance,
    spatial: GuidanceFactory | None = SpatialGuidance,
    alpha: float = 0.3,
    beta: float = 0.05,
    align: AlignmentFactory = learned_alignment,
    latents: int = 32,
    reduction: int = 8,
    groups: int = 2,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_released,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    """Couples two frozen encoders that guide each other where their blocks meet, both ways.

    Args:
        visual: Encoder of frames; frozen in place.
        audio: Encoder of sounds; frozen in place.
        channel: Channel guidance, called with the widths of stream and cue; `None` leaves it out.
        spatial: Spatial guidance, likewise.
        alpha: Weight of the channel map; released: 0.3 in S4, 0.2 in MS3.
        beta: Weight of the spatial map; released: 0.05 in S4, 0.1 in MS3.
        align: Alignment of the guide; released: `resampled_alignment` in S4, `learned_alignment` in MS3.
        latents: Latent tokens of an adapter.
        reduction: Reduction of the bottleneck; released: 8 in S4, 2 in MS3.
        groups: Groups of its linear layers.
        pairing: From the sites of both streams to steps.
        edges: Keeps only these `(guide, stream)`.
        guide: What the adapters read: their true guide, or a control.
    """

    def modulation(stream: Site) -> Modulation:
        guidance = {"channel": (channel, alpha), "spatial": (spatial, beta)}
        return modulation_of(stream.width, guidance, base=1 - alpha if channel else 1.0)

    adapter = partial(
        segmentation_adapter, align=align, latents=latents, modulation=modulation, reduction=reduction, groups=groups
    )
    return couple(visual, audio, adapter=adapter, pairing=pairing, edges=edges, guide=guide)


def segmentation_adapter(
    stream: Site,
    guide: Site,
    *,
    align: AlignmentFactory,
    modulation: Callable[[Site], nn.Module],
    latents: int = 32,
    reduction: int = 8,
    groups: int = 2,
) -> nn.Module:
    """Builds an adapter of the released segmentation models.

    Args:
        stream: The site of the stream; one with bands is sound, and its bottleneck has no gate.
        guide: The site of the guide.
        align: Called with both sites.
        modulation: Called with the stream's site.
        latents: Latent tokens, which start at zero.
        reduction: Reduction of the bottleneck.
        groups: Groups of its linear layers.
    """
    bottleneck = partial(
        Bottleneck,
        reduction=reduction,
        groups=groups,
        before=nn.Identity,
        norm=nn.Identity,
        finish=nn.LayerNorm if "frequency" in stream.axes else GateThenNorm,
    )
    tokens = partial(LatentTokens, latents=latents, init=nn.init.zeros_)
    made: AdapterFactory = partial(
        guided_adapter, align=align, latents=tokens, modulation=modulation, bottleneck=bottleneck, order=GuidedAdapter
    )
    return made(stream, guide)
