"""Pooled alignment: every token of the stream is shown the mean of the guide."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from ..site import Site


class PooledAlignment(nn.Module):
    r"""The mean of the guide, projected and repeated: $G = 1\,(F \operatorname{mean}_s v_s + f)^\top$.

    Knows no grid: the guide may have any number of tokens, one (a vector a frame) included.
    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: ours.
    """

    def __init__(self, guide_channels: int, tokens: int, channels: int):
        """Width of the guide, then tokens and width of the stream."""
        super().__init__()
        self.tokens = tokens
        self.project = nn.Linear(guide_channels, channels)

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """The aligned guide."""
        return self.pooled(guide)[:, None].expand(-1, self.tokens, -1)

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """The cue: `forward(guide).mean(1)`."""
        check_width(self, "guide", guide, self.project.in_features)
        return self.project(guide.mean(1))

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """`softmax(latents · Gᵀ) · G`: with equal rows, the cue for every latent."""
        check_width(self, "latents", latents, self.project.out_features)
        return self.pooled(guide)[:, None].expand(-1, latents.shape[1], -1)

    def extra_repr(self) -> str:
        return f"tokens={self.tokens}"


def pooled_alignment(stream: Site, guide: Site) -> PooledAlignment:
    """The factory: the guide's mean for every token of the stream."""
    return PooledAlignment(guide.width, stream.tokens, stream.width)
