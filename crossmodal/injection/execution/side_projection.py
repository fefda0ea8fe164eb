"""The carry: a side stream, brought over a section that changes tokens or width."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ...shapes import check_width, shaped
from ...site import Site


class SideProjection(nn.Module):
    """The mean over the tokens that become one, then a linear layer without bias: nothing is carried as nothing.

    - `before`, `after`: the sites between which the section runs. Where it does not divide the grid evenly, cells are
      averaged as `torch.nn.functional.adaptive_avg_pool2d` does. Leading tokens without a place pass as they are.

    Shapes: `(frame, token, channel)` → `(frame, token_after, channel_after)`. Raises `ValueError` where the section
    changes the number of leading tokens.
    """

    def __init__(self, before: Site, after: Site):
        super().__init__()
        if before.prefix != after.prefix:
            raise ValueError(
                f"SideProjection: {before.name!r} has prefix={before.prefix}, {after.name!r} has "
                f"prefix={after.prefix}: they must be equal; give side() a carry= of your own."
            )
        self.before, self.after, self.prefix = before.grid, after.grid, before.prefix
        self.project = nn.Linear(before.width, after.width, bias=False)

    @shaped
    def forward(self, side: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token_after channel_after"]:
        """The side stream after the section."""
        check_width(self, "side", side, self.project.in_features)
        grid = rearrange(side[:, self.prefix :], "f (row column) c -> f c row column", row=self.before[0])
        placed = rearrange(F.adaptive_avg_pool2d(grid, self.after), "f c row column -> f (row column) c")
        return self.project(torch.cat([side[:, : self.prefix], placed], dim=1))

    def extra_repr(self) -> str:
        return f"{self.before} → {self.after}"


SideProjectionFactory = Callable[[Site, Site], nn.Module]
"""`factory(before, after)`: a module that brings a side stream from one site to the next."""
