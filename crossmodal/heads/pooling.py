"""Pooling of a stream over its tokens: by the scores of a map, or by the mean."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped

PoolFactory = Callable[[int], nn.Module]
"""`factory(channels)`: returns a block `(stream, maps) -> (frame, channel)`; `maps` are those over the stream's tokens,
by name, the last coupler's last."""


@shaped
def pooling_weights(map: Float[Tensor, "frame token 1"]) -> Float[Tensor, "frame token 1"]:
    r"""Computes pooling weights from a spatial map $M = \sigma(e)$: $\operatorname{softmax}_t \tanh(e_t)$.

    The map suffices, because $\tanh(\operatorname{logit} M) = (2M - 1) / (1 - 2M(1 - M))$. The largest weight is at
    most $e^2$ times the smallest. Source: DG-SCT's pooling maps.
    """
    # This form stays finite where the sigmoid has saturated and the logit is infinite.
    return ((2 * map - 1) / (1 - 2 * map * (1 - map))).softmax(dim=1)


@shaped
def pool_tokens(
    stream: Float[Tensor, "frame token channel"], map: Float[Tensor, "frame token 1"] | None = None
) -> Float[Tensor, "frame channel"]:
    """Pools a stream over its tokens, with the weights of `map`, or by the mean without a map."""
    if map is None:
        return stream.mean(1)
    return (pooling_weights(map) * stream).sum(1)


class MeanPooling(nn.Module):
    """Pools a stream by the mean of its tokens, whatever maps there are.

    Shapes: stream `(frame, token, channel)` and maps → `(frame, channel)`.
    """

    map = None

    def __init__(self, channels: int):
        """Builds the block.

        Args:
            channels: Accepted as by every factory of a pooling, and not used.
        """
        super().__init__()

    def chosen(self, names: tuple[str, ...]) -> str | None:
        """Returns `None`: it pools by no map."""
        return None

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], maps: Mapping[str, Tensor]
    ) -> Float[Tensor, "frame channel"]:
        """Computes the mean over tokens."""
        return stream.mean(1)


class MapPooling(nn.Module):
    """Pools a stream with the weights of a map over its tokens, and by the mean where no adapter made one.

    Shapes: stream `(frame, token, channel)` and maps → `(frame, channel)`.
    Source: DG-SCT's pooling maps; see `pooling_weights`.
    """

    def __init__(self, channels: int, *, map: str | None = None):
        """Builds the block.

        Args:
            channels: Accepted as by every factory of a pooling, and not used.
            map: Name of the map; `None` takes the last one over tokens, whatever its name.
        """
        super().__init__()
        self.map = map

    def chosen(self, names: tuple[str, ...]) -> str | None:
        """Returns the map that is pooled by, of those that there are; `None` is the mean.

        Args:
            names: Names of the maps over the stream's tokens, the last coupler's last.

        Raises:
            ValueError: If the map asked for is not among them.
        """
        if self.map is not None and self.map not in names:
            raise ValueError(
                f"MapPooling: map={self.map!r}, but the adapters' maps over tokens are {', '.join(names) or 'none'}: "
                f"name another, or pool by the mean (MeanPooling)."
            )
        return self.map or (names[-1] if names else None)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], maps: Mapping[str, Tensor]
    ) -> Float[Tensor, "frame channel"]:
        """Computes the weighted sum over tokens."""
        # Without any map no adapter ran: the other modality is missing, and nothing says where to look.
        name = self.chosen(tuple(maps)) if maps else None
        return pool_tokens(stream, None if name is None else maps[name])

    def extra_repr(self) -> str:
        """Shows the name of the map."""
        return f"map={self.map}"
