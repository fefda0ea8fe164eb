"""A linear layer through few units, to project a guide by few parameters."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class LowRankLinear(nn.Module):
    r"""A linear layer whose matrix has a low rank: $y = W_\uparrow W_\downarrow x + b$.

    Shapes: `(…, channel)` → `(…, out_channel)`. In place of `nn.Linear` wherever a factory of two widths is asked for.
    """

    def __init__(self, in_features: int, out_features: int, *, rank: int = 64):
        """
        - `in_features`, `out_features`: the widths.
        - `rank`: units between them, at least 1; clipped to the smaller width, where more would add nothing.
        """
        super().__init__()
        if rank < 1:
            raise ValueError(f"LowRankLinear: rank={rank} must be at least 1 between {in_features} and {out_features}.")
        rank = min(rank, in_features, out_features)
        self.in_features, self.out_features = in_features, out_features
        self.down = nn.Linear(in_features, rank, bias=False)
        self.up = nn.Linear(rank, out_features)

    @shaped
    def forward(self, input: Float[Tensor, "*row channel"]) -> Float[Tensor, "*row out_channel"]:
        """The projected rows."""
        check_width(self, "input", input, self.in_features)
        return self.up(self.down(input))
