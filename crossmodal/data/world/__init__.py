"""The built-in world: procedural audio-visual clips whose event needs both senses, with all ground truth."""

from .dataset import TINY as TINY
from .dataset import Rendered as Rendered
from .dataset import World as World
from .scene import COLOURS as COLOURS
from .scene import MOTIONS as MOTIONS
from .scene import SHAPES as SHAPES
from .scene import TEXTURES as TEXTURES
from .scene import Difficulty as Difficulty
from .scene import Objects as Objects
from .scene import Sounds as Sounds
from .truth import Truth as Truth
