"""Few clips of a class: events of AVE by second, classes of AVE's and LLP's clips, learnt from 1 to 16 clips each."""

from collections.abc import Mapping
from types import MappingProxyType

from crossmodal.data.shot_sources import ClassifiedAVESource, ShotAVESource, ShotLLPSource
from crossmodal.data.shot_world import ShotWorldSource
from crossmodal.data.source import Source

from .name_matching import NameMatching
from .settings import Settings


class FewShot(NameMatching):
    """Task `few_shot`: `--data.shots` training clips of every class."""

    name = "few_shot"
    title = "Few clips of a class"
    about = "Trains a system on few clips of every class; tests it."
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": ShotWorldSource, "ave": ShotAVESource, "classes": ClassifiedAVESource, "llp": ShotLLPSource}
    )
    quick = Settings(
        optim={"lr": 2e-3, "decay": 0.5, "every": 2, "schedule": None, "optimizer": None},
        trainer={"max_epochs": 4},
        data={"batch_size": 8},
    )


TASK = FewShot()
