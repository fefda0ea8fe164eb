"""DG-SCT by the equations of its paper: dual-guided spatial-channel-temporal attention between two frozen encoders.

Source: Duan et al., *Cross-modal Prompts: Adapting Large Pre-trained Models for Audio-Visual Downstream Tasks*,
NeurIPS 2023. What its authors' code computes instead stands in `dg_sct_released`.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from crossmodal.adapters import (
    AdapterFactory,
    AlignmentFactory,
    Bottleneck,
    Control,
    GuidanceFactory,
    Modulations,
    Sized,
    guided_adapter,
    modulation_of,
    true_guide,
)
from crossmodal.alignment import learned_alignment
from crossmodal.guidance import ChannelGuidance, ClipGuidance, SpatialGuidance
from crossmodal.injection import Edge, Encoder, Lockstep, Step, couplers_for, freeze, paired_as_paper
from crossmodal.site import Site


def dg_sct(
    visual: Encoder,
    audio: Encoder,
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
    adapter: AdapterFactory | None = None,
    pairing: Callable[..., tuple[Step, ...]] = paired_as_paper,
    edges: tuple[Edge, ...] | None = None,
    guide: Control = true_guide,
) -> Lockstep:
    r"""Two frozen encoders that guide each other at every half-block, both ways.

    In every adapter $x' = (\alpha M_c + \beta M_s + 1) \odot x$, then $x'' = (\gamma M_t + 1) \odot x'$.

    - `channel`, `spatial`, `temporal`: guidance, called with the widths of stream and cue; `None` leaves one out.
    - `frequency`: guidance that takes the place of `spatial` on streams with bands; also called with `bands=`.
    - `alpha`, `beta`, `gamma`: weights of the channel, the spatial or frequency, and the temporal map.
    - `align`, `latents`, `bottleneck`: the other parts of the adapter, as `guided_adapter` takes them.
    - `adapter`: an adapter of your own, called with both sites, instead of all of the above.
    - `pairing`: from the sites of both streams to steps. `edges`: keep only these `(guide, stream)`.
    - `guide`: what the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
    """

    def modulation(stream: Site) -> Modulations:
        where = {"spatial": (spatial, beta)}
        if frequency and "frequency" in stream.axes:
            where = {"frequency": (partial(frequency, bands=stream.axes["frequency"]), beta)}
        return Modulations(
            modulation_of(stream.width, {"channel": (channel, alpha), **where}, base=1.0),
            modulation_of(stream.width, {"temporal": (temporal, gamma)}, base=1.0),
        )

    encoders = {"visual": freeze(visual), "audio": freeze(audio)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = pairing(sites)
    factory = adapter or partial(
        guided_adapter, align=align, latents=latents, modulation=modulation, bottleneck=bottleneck
    )
    return Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, guide(factory), edges=edges))
