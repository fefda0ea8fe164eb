"""No clip of a class: systems that know the classes by their names alone are tested as they are."""

from collections.abc import Mapping
from types import MappingProxyType

from crossmodal.data.shot_sources import ClassifiedAVESource, LocalisedByNameSource, ShotLLPSource
from crossmodal.data.shot_world import UnseenWorldSource
from crossmodal.data.source import Source

from .name_matching import NameMatching
from .settings import Settings


class ZeroShot(NameMatching):
    """Task `zero_shot`: nothing is trained; `fit` builds a system, from a run of `pretrain` or not, and tests it."""

    name = "zero_shot"
    title = "No clip of a class"
    about = "Builds a system, trains nothing, and tests it."
    system = "clip"
    sources: Mapping[str, type[Source]] = MappingProxyType(
        {"world": UnseenWorldSource, "ave": LocalisedByNameSource, "classes": ClassifiedAVESource, "llp": ShotLLPSource}
    )
    quick = Settings(trainer={"max_epochs": 0}, data={"batch_size": 8})


TASK = ZeroShot()
