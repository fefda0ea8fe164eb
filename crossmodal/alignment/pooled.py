"""Pooled alignment: every token of the stream is shown the mean of the guide."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped
from ..site import Site

Project = Callable[[int, int], nn.Module]
"""`factory(guide channels, channels)`: `nn.Linear`, or a partial of `LowRankLinear`."""


class LowRankLinear(nn.Module):
    r"""Projects by a matrix of low rank: $y = W_\uparrow W_\downarrow x + b$.

    Takes the place of `nn.Linear` wherever a factory of two widths is asked for.

    Shapes: `(…, channel)` → `(…, out_channel)`.
    """

    def __init__(self, in_features: int, out_features: int, *, rank: int = 64):
        """Builds the layer.

        Args:
            in_features: Width of the input.
            out_features: Width of the output.
            rank: Units between them, at least 1; clipped to the smaller width, where more would add nothing.

        Raises:
            ValueError: If `rank` is less than 1.
        """
        super().__init__()
        if rank < 1:
            raise ValueError(f"LowRankLinear: rank={rank} must be at least 1 between {in_features} and {out_features}.")
        rank = min(rank, in_features, out_features)  # a higher one adds weights, but nothing that they could do
        self.in_features, self.out_features = in_features, out_features
        self.down = nn.Linear(in_features, rank, bias=False)
        self.up = nn.Linear(rank, out_features)

    @shaped
    def forward(self, input: Float[Tensor, "*row channel"]) -> Float[Tensor, "*row out_channel"]:
        """Computes the projected rows."""
        check_width(self, "input", input, self.in_features)
        return self.up(self.down(input))


class PooledAlignment(nn.Module):
    r"""Repeats the projected mean of the guide for every token: $G = 1\,(F \operatorname{mean}_s v_s + f)^\top$.

    Depends on no grid: the guide may have any number of tokens, one (a vector per frame) included.

    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: ours.
    """

    def __init__(self, guide_channels: int, tokens: int, channels: int, *, project: Project = nn.Linear):
        """Builds the block.

        Args:
            guide_channels: Width of the guide.
            tokens: Tokens of the stream.
            channels: Width of the stream.
            project: Makes the projection; `partial(LowRankLinear, rank=64)` has fewer parameters.
        """
        super().__init__()
        self.guide_channels, self.tokens, self.channels = guide_channels, tokens, channels
        self.project = project(guide_channels, channels)

    def is_plain(self) -> bool:
        """Returns whether `pooled` and `attend` belong to this `forward`: false in a subclass with another."""
        return type(self).forward is PooledAlignment.forward

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the aligned guide."""
        return self.pooled(guide)[:, None].expand(-1, self.tokens, -1)

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """Computes the cue, `forward(guide).mean(1)`."""
        check_width(self, "guide", guide, self.guide_channels)
        return self.project(guide.mean(1))

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """Computes `softmax(latents · Gᵀ) · G`: of equal rows, the cue for every latent."""
        check_width(self, "latents", latents, self.channels)
        return self.pooled(guide)[:, None].expand(-1, latents.shape[1], -1)

    def extra_repr(self) -> str:
        """Shows the tokens."""
        return f"tokens={self.tokens}"


def pooled_alignment(stream: Site, guide: Site, *, project: Project = nn.Linear) -> PooledAlignment:
    """Builds a `PooledAlignment` between the two sites.

    Args:
        stream: The site of the stream.
        guide: The site of the guide.
        project: Makes the projection.
    """
    return PooledAlignment(guide.width, stream.tokens, stream.width, project=project)


def low_rank_pooled_alignment(stream: Site, guide: Site, *, rank: int = 64) -> PooledAlignment:
    """Builds a `PooledAlignment` that projects through few units.

    Args:
        stream: The site of the stream.
        guide: The site of the guide.
        rank: Units between the two widths.
    """
    return pooled_alignment(stream, guide, project=partial(LowRankLinear, rank=rank))
