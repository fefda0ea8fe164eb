"""Features of texts under a frozen text encoder, computed once."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..cached_from_frozen import CachedFromFrozen
from .towers import Tokenizer


class TextFeatures(nn.Module):
    """Computes the features of texts, such as the names of classes, and caches them while the encoder is frozen.

    The cache is that of `CachedFromFrozen`: while the encoder is frozen, each list of texts goes through it once.
    `passes` counts how often the encoder ran.

    Shapes: texts → `(text, feature)`, not normalised.
    """

    def __init__(self, encoder: nn.Module, tokenizer: Tokenizer):
        """Starts with an empty cache.

        Args:
            encoder: A `TextEncoder`; this block is its home.
            tokenizer: Turns texts into its token ids.
        """
        super().__init__()
        self.encoder, self.tokenizer, self.passes = encoder, tokenizer, 0
        self._cached: dict[tuple[str, ...], CachedFromFrozen] = {}

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "text feature"]:
        """Returns the features of `texts`, in their order. Read-only."""
        cached = self._cached.setdefault(tuple(texts), CachedFromFrozen())
        return cached.get(self.encoder, lambda: self._compute(texts))

    def _compute(self, texts: Sequence[str]) -> Tensor:
        self.passes += 1
        device = next(self.encoder.parameters()).device
        features: Tensor = self.encoder(self.tokenizer(texts).to(device))
        return features
