"""Floor 3: where residuals may be added to encoders, and the loop that adds them."""

from .encoder import Encoder as Encoder
from ..site import Site as Site
from ..site import folded_axes as folded_axes
from ..site import grid_axes as grid_axes
from ..site import vector_axes as vector_axes
