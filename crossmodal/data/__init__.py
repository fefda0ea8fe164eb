"""Floor 4: data sets in their published layout, the built-in world, and clips from any video file."""

from .annotations import AVE_CLASSES as AVE_CLASSES
from .ave import AVE as AVE
from .clip import Clip as Clip
from .clip import LabelledClip as LabelledClip
from .clip import Preprocess as Preprocess
from .clip import windows as windows
from .folder import EventWindows as EventWindows
from .folder import Folder as Folder
from .folder import Labels as Labels
from .folder import TrimmedClips as TrimmedClips
from .folder import read_labels as read_labels
from .video import read_clip as read_clip
from .world import World as World
