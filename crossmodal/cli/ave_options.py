"""The options of `crossmodal ave fit`."""

from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace

from crossmodal.tasks.event_training import EventTraining
from crossmodal.tasks.task import Task
from crossmodal.training import options as task_options
from crossmodal.training.event_data import EventData
from crossmodal.training.options import TRAINER as TRAINER
from crossmodal.training.options import Choice
from crossmodal.training.options import read_options as read_options
from crossmodal.training.own_videos import OwnVideos

SCHEDULES = {
    "tiny": {"trainer.max_epochs": 4, "optim.lr": 2e-3, "optim.decay": 0.5, "optim.every": 1},
    "full_size": {"trainer.max_epochs": 50, "optim.lr": 5e-4, "optim.decay": 0.35, "optim.every": 3},
}
"""How a size is trained where nothing else is said: minutes on a laptop, or the released schedule of AVE."""

AVE = Task(
    name="ave",
    title="Audio-visual events",
    about="Trains a model of audio-visual events; tests it.",
    unit="segments",
    training=EventTraining,
    data=EventData,
    own=OwnVideos,
    schedules=SCHEDULES,
)


def options(recipe: str, size: str = "tiny", training: str = "careful_training") -> ArgumentParser:
    """The parser of `fit` for one recipe, size and training."""
    return task_options.options(AVE, Choice(recipe, size, training))


def parse(argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """Parses the options of `fit`: first those, from them or a YAML file, that decide on the others."""
    return task_options.parse(argv, AVE)
