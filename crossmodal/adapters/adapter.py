"""What an adapter is: `(stream, guide) -> Adapted(residual, maps)`. Write your own; nothing needs to be inherited."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..site import Site

Map = Float[Tensor, "frame #token #channel"]


class Adapted(NamedTuple):
    """What an adapter gives: a residual of exactly the stream's shape, and the maps it made (maybe none)."""

    residual: Float[Tensor, "frame token channel"]
    maps: dict[str, Map]


AdapterFactory = Callable[[Site, Site], nn.Module]
"""`factory(stream, guide)`: called with the two sites, returns an adapter."""
