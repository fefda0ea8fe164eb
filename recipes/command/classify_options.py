"""The options of `crossmodal classify fit`."""

from ..classify_training import ClassTraining
from ..event_data import EventData
from ..own_data import OwnClips
from .ave_options import SCHEDULES
from .task import Task

CLASSIFY = Task(
    name="classify",
    title="Classes of clips",
    about="Trains a classifier of clips, a label each; tests it.",
    unit="clips",
    training=ClassTraining,
    data=EventData,
    own=OwnClips,
    schedules=SCHEDULES,
    names={
        "tiny": "recipes.classify.tiny",
        "full_size": "recipes.classify.full_size",
        "any_pair": "recipes.any_pair.any_pair_classes",
    },
)
