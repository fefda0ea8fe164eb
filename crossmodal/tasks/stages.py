"""Trainings that come before the last one: of a part of a system, which the last one then starts from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from torch import nn

from crossmodal.data.source import Source

from .resolve import system_module
from .settings import Settings
from .task import Scores, SystemModule


class Scored(Protocol):
    """What a stage is selected by.

    Attributes:
        monitor: Score that selects weights on validation; higher is better.
    """

    monitor: str

    def scores(self) -> Scores:
        """Returns a new score counter."""


class TrainingStage(NamedTuple):
    """One training before the last. `STAGES` of a recipe file is a tuple of them; one `fit` runs all, and resumes.

    Attributes:
        name: Its word in the options, `--stages.NAME.max_epochs`, and its folder in that of the run.
        part: From the system, the one that is trained here. It shares modules with it: what these learn is where the
            next training starts. It may name modules that do not learn in it, `not_trained`, such as encoders that it
            runs without gradient: their parameters are frozen until the stage is over.
        task: What the part is scored by.
        settings: Published training; of the trainer and the data, `max_epochs` and `batch_size` alone.
        quick: The same for tiny encoders.
        source: From the source of the run, that of the stage.
    """

    name: str
    part: Callable[[Any], SystemModule]
    task: Scored
    settings: Settings
    quick: Settings
    source: Callable[[Source], Source]

    def options(self, tiny: bool) -> dict[str, Any]:
        """Returns values of its options by name.

        Args:
            tiny: Whether the encoders are the tiny ones.
        """
        of_optim = {**self.settings.optim, **(self.quick.optim if tiny else {})}
        trainer = {**self.settings.trainer, **(self.quick.trainer if tiny else {})}
        data = {**self.settings.data, **(self.quick.data if tiny else {})}
        return {
            **{f"optim.{name}": value for name, value in of_optim.items()},
            "max_epochs": trainer["max_epochs"],
            "batch_size": data["batch_size"],
        }


@contextmanager
def frozen_for_stage(part: SystemModule) -> Iterator[None]:
    """Freezes the parameters that do not learn in a stage, and afterwards lets those learn that did before.

    Processes that train together (DDP) wait for the gradient of every parameter that takes one, and files of the stage
    hold all of these.
    """
    modules: Sequence[nn.Module] = getattr(part, "not_trained", ())
    learning = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def stages_of(system: str, task: str) -> tuple[TrainingStage, ...]:
    """Returns the trainings before the last one of a system.

    Args:
        system: Its name, as `find_system` takes it.
        task: Name of the task.
    """
    found: tuple[TrainingStage, ...] = getattr(system_module(system, task), "STAGES", ())
    return found
