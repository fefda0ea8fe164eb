"""The guided adapter: align the guide, carry it by latent tokens, modulate the stream, write a residual."""

from collections.abc import Callable
from functools import partial
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from ..alignment import Alignment, resampled_alignment
from ..attention.latent import LatentTokens, NoLatents
from ..guidance import ChannelGuidance, SpatialGuidance
from ..shapes import shaped
from ..site import Site
from .adapter import Adapted
from .bottleneck import Bottleneck, Sized
from .modulation import Modulation

AlignmentFactory = Callable[[Site, Site], nn.Module]
"""`factory(stream, guide)`: returns an `Alignment`."""

ModulationFactory = Callable[[Site], nn.Module]
"""`factory(stream)`: returns `(stream, cue) -> Modulated`."""


class GuidedAdapter(nn.Module):
    """Align → latent tokens → modulation → bottleneck, of blocks that it is given.

    Shapes: stream `(frame, token, channel)`, guide `(frame, guide_token, guide_channel)` → a residual of the stream's
    shape and the maps of the modulation. Source: the DG-SCT module; with an empty modulation, that of LAVisH.
    """

    def __init__(self, align: nn.Module, latents: nn.Module, modulation: nn.Module, bottleneck: nn.Module):
        super().__init__()
        self.align = cast(Alignment, align)
        self.latents = latents
        self.modulation = modulation
        self.bottleneck = bottleneck

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], guide: Float[Tensor, "frame guide_token guide_channel"]
    ) -> Adapted:
        """The residual and the maps."""
        cue = self.align.pooled(guide)  # first, so that its small gradient is added last to that of the alignment
        modulated, maps = self.modulation(self.latents(stream, guide, self.align), cue)
        return Adapted(self.bottleneck(modulated), maps)


def channel_and_spatial(stream: Site, *, alpha: float = 0.3, beta: float = 0.05) -> Modulation:
    """The modulation of one site with channel and spatial guidance, base 1: a default to start from."""
    width = stream.width
    return Modulation(
        {"channel": (ChannelGuidance(width, width), alpha), "spatial": (SpatialGuidance(width, width), beta)}
    )


def unmodulated(stream: Site) -> Modulation:
    """No map at all: the stream passes as it is."""
    return Modulation({})


def guided_adapter(
    stream: Site,
    guide: Site,
    *,
    align: AlignmentFactory = resampled_alignment,
    latents: int | Sized = 32,
    modulation: ModulationFactory = channel_and_spatial,
    bottleneck: Sized = Bottleneck,
) -> GuidedAdapter:
    """Builds the adapter between two sites; every keyword is a number or a factory.

    - `align`: called with both sites. `learned_alignment` is the published one and knows one grid only.
    - `latents`: how many latent tokens (0: none), or a factory called with the stream's width.
    - `modulation`: called with the stream's site.
    - `bottleneck`: called with the stream's width.
    """
    if isinstance(latents, int):
        latents = partial(LatentTokens, latents=latents) if latents else NoLatents
    return GuidedAdapter(align(stream, guide), latents(stream.width), modulation(stream), bottleneck(stream.width))
