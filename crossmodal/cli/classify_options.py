"""The options of `crossmodal classify fit`."""

from crossmodal.cli.ave_options import SCHEDULES
from crossmodal.tasks.classify_training import ClassTraining
from crossmodal.tasks.task import Task
from crossmodal.training.event_data import EventData
from crossmodal.training.own_videos import OwnClips

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
        "tiny": "crossmodal.recipes.classify.dg_sct.tiny",
        "full_size": "crossmodal.recipes.classify.dg_sct.full_size",
        "any_pair": "crossmodal.recipes.any_pair.any_pair_classes",
    },
)
