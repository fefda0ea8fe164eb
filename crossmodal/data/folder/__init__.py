"""One's own data: a folder of video files and a table of labels."""

from .cutting import Cut as Cut
from .cutting import EventWindows as EventWindows
from .cutting import TrimmedClips as TrimmedClips
from .dataset import Folder as Folder
from .labels import Labels as Labels
from .labels import read_labels as read_labels
