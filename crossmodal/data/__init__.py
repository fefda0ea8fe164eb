"""Floor 4: data sets in their published layout, the built-in world, and clips from any video file."""

from .clip import Clip as Clip
from .clip import LabelledClip as LabelledClip
from .clip import Preprocess as Preprocess
