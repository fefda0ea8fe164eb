"""Side projection: a side stream, brought over a section that changes tokens or width."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ...shapes import check_width, shaped
from ...site import Site


class SideProjection(nn.Module):
    """Brings a side stream over a section that merges tokens: their mean, then a linear layer without bias.

    Without a bias a side stream of zeros stays zero. Where the section does not divide the grid evenly, cells are
    averaged as `torch.nn.functional.adaptive_avg_pool2d` does. Leading tokens without a place pass as they are.

    Shapes: `(frame, token, channel)` → `(frame, token_after, channel_after)`.
    """

    def __init__(self, before: Site, after: Site):
        """Builds the layer.

        Args:
            before: The site before the section.
            after: The site after it.

        Raises:
            ValueError: If the section changes the number of leading tokens.
        """
        super().__init__()
        if before.prefix != after.prefix:
            raise ValueError(
                f"SideProjection: {before.name!r} has prefix={before.prefix}, {after.name!r} has "
                f"prefix={after.prefix}: they must be equal; give side() a projection= of your own."
            )
        self.before, self.after, self.prefix = before.grid, after.grid, before.prefix
        self.project = nn.Linear(before.width, after.width, bias=False)

    @shaped
    def forward(self, side: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token_after channel_after"]:
        """Computes the side stream after the section."""
        check_width(self, "side", side, self.project.in_features)
        grid = rearrange(side[:, self.prefix :], "f (row column) c -> f c row column", row=self.before[0])
        placed = rearrange(F.adaptive_avg_pool2d(grid, self.after), "f c row column -> f (row column) c")
        return self.project(torch.cat([side[:, : self.prefix], placed], dim=1))

    def extra_repr(self) -> str:
        """Returns the grids that `print` shows."""
        return f"{self.before} → {self.after}"


SideProjectionFactory = Callable[[Site, Site], nn.Module]
"""`factory(before, after)`: a module that brings a side stream from one site to the next."""
