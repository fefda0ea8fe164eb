"""Data sets of a user's own: a folder of video files and a table of labels."""

from .dataset import Folder as Folder
from .labels import Labels as Labels
from .labels import read_labels as read_labels
from .windowing import EventWindows as EventWindows
from .windowing import TrimmedClips as TrimmedClips
from .windowing import Windowing as Windowing
