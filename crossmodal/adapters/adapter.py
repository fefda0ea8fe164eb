"""The contract of an adapter, `(stream, guide) -> Adapted(residual, maps)`. Write your own: nothing is inherited."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..site import Site

Map = Float[Tensor, "frame #token #channel"]


class Adapted(NamedTuple):
    """Result of an adapter: a residual of exactly the stream's shape, and the maps it computed (maybe none)."""

    residual: Float[Tensor, "frame token channel"]
    maps: dict[str, Map]


AdapterFactory = Callable[[Site, Site], nn.Module]
"""`factory(stream, guide)`: called with the two sites, returns an adapter."""
