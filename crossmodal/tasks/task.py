"""What makes one group of commands, `crossmodal NAME fit | test | predict`, differ from another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossmodal.training.data_module import ClipData
from crossmodal.training.lightning_module import ClipTraining


@dataclass(frozen=True)
class Task:
    """A task as the commands see it.

    - `name`: of the commands, `"ave"`. `title`: of a report. `about`: what `fit` does, in a sentence.
    - `unit`: what is right or wrong, `"segments"`.
    - `training`: the class of `--optim.…`. `data`: that of `--data.…`, and `own` where `--data.folder` is given.
    - `schedules`: size → options of how it is trained where nothing else is said.
    - `names`: functions of the task by their own name, beside those of `named.OURS`.
    """

    name: str
    title: str
    about: str
    unit: str
    training: type[ClipTraining]
    data: type[ClipData]
    own: type[ClipData]
    schedules: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str] = field(default_factory=dict)
