"""Body of the feed-forward half of a transformer block: two linear layers with GELU between them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.ops import MLP

from ..plain import is_plain, products_of


class FeedForward(MLP):
    """Two linear layers with GELU between them, the hidden one of `int(width * ratio)` units.

    Without gradients GELU overwrites its input, the largest tensor of a block. A layer that was replaced or hooked is
    called as it is.

    Shapes: `(…, width)` → the same.
    """

    def __init__(self, width: int, ratio: float, *, activation: Callable[[], nn.Module] = nn.GELU):
        """Builds both layers.

        Args:
            width: Channels in and out.
            ratio: Hidden units per channel.
            activation: Builds what lies between them; another than GELU is called as it is.
        """
        # torchvision numbers these layers 0 to 4: in files, the two linear ones are 0 and 3
        super().__init__(width, [int(width * ratio), width], activation_layer=activation)

    def forward(self, input: Tensor) -> Tensor:
        """Returns what the layers compute one after another."""
        if torch.compiler.is_compiling() or not self._is_plain():
            return super().forward(input)
        widen, _, _, narrow, _ = self
        return products_of(widen).feed_forward(input, widen, narrow)

    def _is_plain(self) -> bool:
        """Returns whether all layers compute what those that the constructor made do."""
        kinds = nn.Linear, nn.GELU, nn.Dropout, nn.Linear, nn.Dropout
        if len(self) != len(kinds) or not all(map(is_plain, self, kinds)):
            return False
        _, gelu, first, _, last = self
        return gelu.approximate == "none" and first.p == 0 and last.p == 0
