"""The guided adapter: aligns the guide, attends to it by latent tokens, modulates the stream, writes a residual."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ..alignment import as_alignment, resampled_alignment
from ..attention.latent import LatentTokens, NoLatents
from ..guidance import ChannelGuidance, SpatialGuidance
from ..named_draws import drawn
from ..shapes import shaped
from ..site import Site
from .adapter import Adapted
from .bottleneck import Bottleneck, Sized
from .modulation import Modulation, modulation_of

AlignmentFactory = Callable[[Site, Site], nn.Module]
"""`factory(stream, guide)`: returns an `Alignment`."""

ModulationFactory = Callable[[Site], nn.Module]
"""`factory(stream)`: returns `(stream, cue) -> Modulated`."""


class GuidedAdapter(nn.Module):
    """Runs align → latent tokens → modulation → bottleneck, of blocks that it is given: the published order.

    The bottleneck's entry norm follows the modulation: LN(c·x) = LN(x), so a factor that is one number per frame (a
    temporal map) does nothing to the residual, and one number per token (a spatial map) next to nothing.

    Shapes: stream `(frame, token, channel)`, guide `(frame, guide_token, guide_channel)` → a residual of the stream's
    shape and the maps of the modulation.
    Source: the DG-SCT module; with an empty modulation, that of LAVisH.
    """

    laws_exempt: ClassVar[dict[str, str]] = {
        "every map is heard": "the bottleneck's entry norm, LN(c·x) = LN(x), divides out a factor of one number a "
        "frame, and nearly all of one a token; this is the published order"
    }

    def __init__(self, align: nn.Module, latents: nn.Module, modulation: nn.Module, bottleneck: nn.Module):
        """Takes the blocks.

        Args:
            align: An `Alignment`, or any module with `forward(guide)`, whose result is then formed.
            latents: `(stream, guide, align) -> stream`.
            modulation: `(stream, cue) -> Modulated`.
            bottleneck: `stream -> residual`.
        """
        super().__init__()
        self.align = align
        self.latents = latents
        self.modulation = modulation
        self.bottleneck = bottleneck

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], guide: Float[Tensor, "frame guide_token guide_channel"]
    ) -> Adapted:
        """Computes the residual and the maps."""
        informed, cue = self.informed(stream, guide)
        modulated, maps = self.modulation(informed, cue)
        return Adapted(self.bottleneck(modulated), maps)

    def informed(self, stream: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the stream after it has attended to the latent tokens, and the cue `(frame, channel)`."""
        align = as_alignment(self.align)
        cue = align.pooled(guide)  # first, so that its small gradient is added last to that of the alignment
        return self.latents(stream, guide, align), cue


class NormalisedFirst(GuidedAdapter):
    """Modulates behind the bottleneck's entry norm: align → latent tokens → norm → modulation → rest of the bottleneck.

    Every map acts, but the norm at the bottleneck's end takes most of a factor that is one number per frame out again.
    The bottleneck must have a norm `before` and a method `write`, as `Bottleneck` does.

    Shapes: as `GuidedAdapter`.
    """

    laws_exempt: ClassVar[dict[str, str]] = {}
    bottleneck: Any  # by duck typing: `before` and `write`

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], guide: Float[Tensor, "frame guide_token guide_channel"]
    ) -> Adapted:
        """Computes the residual and the maps."""
        informed, cue = self.informed(stream, guide)
        modulated, maps = self.modulation(self.bottleneck.before(informed), cue)
        return Adapted(self.bottleneck.write(modulated), maps)


class ResidualModulated(GuidedAdapter):
    """Modulates the residual: align → latent tokens → bottleneck → modulation.

    No norm stands behind the modulation, so that each map moves the residual by its whole weight. In `GuidedAdapter`,
    where the bottleneck's entry norm follows, LN(c·x) = LN(x) undoes a temporal map exactly and a spatial one nearly.

    Shapes: as `GuidedAdapter`.
    """

    laws_exempt: ClassVar[dict[str, str]] = {}

    def __init__(self, align: nn.Module, latents: nn.Module, modulation: nn.Module, bottleneck: nn.Module):
        """Takes the blocks, as `GuidedAdapter` does.

        Args:
            align: An `Alignment`, or any module with `forward(guide)`.
            latents: `(stream, guide, align) -> stream`.
            modulation: `(stream, cue, *, target) -> Modulated`, which multiplies `target`.
            bottleneck: `stream -> residual`.

        Raises:
            ValueError: If the modulation takes no target.
        """
        super().__init__(align, latents, modulation, bottleneck)
        if "target" not in inspect.signature(modulation.forward).parameters:
            raise ValueError(
                f"ResidualModulated: modulation={type(modulation).__name__} must take a keyword target, which it "
                "multiplies in place of the stream: add it, or pass order=GuidedAdapter."
            )

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], guide: Float[Tensor, "frame guide_token guide_channel"]
    ) -> Adapted:
        """Computes the residual and the maps."""
        informed, cue = self.informed(stream, guide)
        residual, maps = self.modulation(informed, cue, target=self.bottleneck(informed))
        return Adapted(residual, maps)


AdapterOrder = Callable[[nn.Module, nn.Module, nn.Module, nn.Module], nn.Module]
"""`order(align, latents, modulation, bottleneck)`: an adapter that runs these blocks, such as `GuidedAdapter`."""


def channel_and_spatial(stream: Site, *, alpha: float = 0.3, beta: float = 0.05) -> Modulation:
    """Builds the default modulation of one site: channel and spatial guidance, base 1.

    Args:
        stream: The site of the stream.
        alpha: Weight of the channel map.
        beta: Weight of the spatial map.
    """
    return modulation_of(stream.width, {"channel": (ChannelGuidance, alpha), "spatial": (SpatialGuidance, beta)})


def unmodulated(stream: Site) -> Modulation:
    """Builds a modulation without maps: it returns the stream as it is."""
    return Modulation({})


def guided_adapter(
    stream: Site,
    guide: Site,
    *,
    align: AlignmentFactory = resampled_alignment,
    latents: int | Sized = 32,
    modulation: ModulationFactory = channel_and_spatial,
    bottleneck: Sized = Bottleneck,
    order: AdapterOrder = ResidualModulated,
) -> nn.Module:
    """Builds the adapter between two sites; every keyword is a number or a factory.

    Args:
        stream: The site of the stream.
        guide: The site of the guide.
        align: Called with both sites. `learned_alignment` is the published one, and tied to one grid.
        latents: Number of latent tokens (0: none), or a factory called with the stream's width.
        modulation: Called with the stream's site.
        bottleneck: Called with the stream's width.
        order: Puts the blocks in order: `ResidualModulated`, in which every map acts, `GuidedAdapter`, which is the
            published order, or `NormalisedFirst`.
    """
    if isinstance(latents, int):
        latents = partial(LatentTokens, latents=latents) if latents else NoLatents
    return order(
        drawn("align", align, stream, guide),
        drawn("latents", latents, stream.width),
        drawn("modulation", modulation, stream),
        drawn("bottleneck", bottleneck, stream.width),
    )
