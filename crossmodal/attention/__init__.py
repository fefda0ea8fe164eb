"""Floor 1: attention, and the learned tokens between a guide and a stream."""

from .attend import attend as attend
from .explain import Explanation as Explanation
from .explain import explain as explain
from .latent import LatentTokens as LatentTokens
from .latent import NoLatents as NoLatents
from .position import ContinuousPosition as ContinuousPosition
from .position import PositionTable as PositionTable
from .window import CosineWindowAttention as CosineWindowAttention
from .window import WindowAttention as WindowAttention
