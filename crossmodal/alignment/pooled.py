"""Pooled alignment: every token of the stream is shown the mean of the guide."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from ..site import Site
from .low_rank import LowRankLinear

Project = Callable[[int, int], nn.Module]
"""`factory(guide channels, channels)`: `nn.Linear`, or a partial of `LowRankLinear`."""


class PooledAlignment(nn.Module):
    r"""The mean of the guide, projected and repeated: $G = 1\,(F \operatorname{mean}_s v_s + f)^\top$.

    Knows no grid: the guide may have any number of tokens, one (a vector a frame) included.
    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: ours.
    """

    def __init__(self, guide_channels: int, tokens: int, channels: int, *, project: Project = nn.Linear):
        """
        - `guide_channels`: width of the guide. `tokens`, `channels`: of the stream.
        - `project`: makes the projection; `partial(LowRankLinear, rank=64)` has fewer parameters.
        """
        super().__init__()
        self.guide_channels, self.tokens, self.channels = guide_channels, tokens, channels
        self.project = project(guide_channels, channels)

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """The aligned guide."""
        return self.pooled(guide)[:, None].expand(-1, self.tokens, -1)

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """The cue: `forward(guide).mean(1)`."""
        check_width(self, "guide", guide, self.guide_channels)
        return self.project(guide.mean(1))

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """`softmax(latents · Gᵀ) · G`: with equal rows, the cue for every latent."""
        check_width(self, "latents", latents, self.channels)
        return self.pooled(guide)[:, None].expand(-1, latents.shape[1], -1)

    def extra_repr(self) -> str:
        return f"tokens={self.tokens}"


def pooled_alignment(stream: Site, guide: Site, *, project: Project = nn.Linear) -> PooledAlignment:
    """The factory: the guide's mean for every token of the stream."""
    return PooledAlignment(guide.width, stream.tokens, stream.width, project=project)


def low_rank_pooled_alignment(stream: Site, guide: Site, *, rank: int = 64) -> PooledAlignment:
    """The factory of a pooled alignment that projects through `rank` units."""
    return pooled_alignment(stream, guide, project=partial(LowRankLinear, rank=rank))
