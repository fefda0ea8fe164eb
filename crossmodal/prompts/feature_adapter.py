"""CLIP-Adapter: a small bottleneck on features of frozen encoders, mixed with the features themselves."""

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class FeatureAdapter(nn.Module):
    r"""Computes $r\,\mathrm{relu}(W_2\,\mathrm{relu}(W_1 f)) + (1 - r)\,f$.

    The second ReLU is published, too: what is added is never negative.

    Shapes: features `(item, feature)` → the same.
    Source: Gao et al., *CLIP-Adapter: Better Vision-Language Models with Feature Adapters*, IJCV 2024.
    """

    def __init__(self, features: int, *, reduction: int = 4, share: float = 0.2):
        """Builds the block.

        Args:
            features: Width of the features.
            reduction: The hidden layer has `features // reduction` units; must divide `features`.
            share: Weight of the bottleneck, in [0, 1]; at 0 the block is the identity.

        Raises:
            ValueError: If `reduction` does not divide `features`, or `share` is out of its range.
        """
        super().__init__()
        if reduction < 1 or features % reduction:
            raise ValueError(f"FeatureAdapter: reduction={reduction} must divide features={features}.")
        if not 0 <= share <= 1:
            raise ValueError(f"FeatureAdapter: share={share} must lie in [0, 1].")
        self.features, self.share = features, share
        self.down = nn.Linear(features, features // reduction, bias=False)
        self.up = nn.Linear(features // reduction, features, bias=False)

    @shaped
    def forward(self, features: Float[Tensor, "item feature"]) -> Float[Tensor, "item feature"]:
        """Computes the mixed features, before any normalisation."""
        check_width(self, "features", features, self.features)
        return self.share * self.up(self.down(features).relu()).relu() + (1 - self.share) * features

    def extra_repr(self) -> str:
        """Shows the share."""
        return f"share={self.share}"
