"""Pre-training on clips of many classes, before a system meets classes of which it has few clips or none."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from crossmodal.data.shot_sources import VGGSoundSource
from crossmodal.data.shot_world import SeenWorldSource
from crossmodal.data.shots import ShotClip
from crossmodal.data.source import Source

from .matched_system import Matched
from .name_matching import NameMatching
from .settings import Settings


class Pretraining(NameMatching):
    """Task `pretrain`: learns every second, background included; is scored by whole clips, as released."""

    name = "pretrain"
    title = "Pre-training on names"
    about = "Trains a system on all clips of many classes, for few_shot and zero_shot; tests it."
    unit = "clips"
    absent: Mapping[str, str] = MappingProxyType(
        {**NameMatching.absent, "prepare": "VGGSound-AVEL40k is published as frames and sounds"}
    )
    sources: Mapping[str, type[Source]] = MappingProxyType({"world": SeenWorldSource, "vggsound": VGGSoundSource})
    quick = Settings(
        optim={"lr": 5e-4, "decay": 0.5, "every": 1, "schedule": None, "optimizer": None},
        trainer={"max_epochs": 2},
        data={"batch_size": 8},
    )

    def pieces(self, prediction: Matched, batch: ShotClip) -> tuple[Tensor, Tensor]:
        """Returns the mean logits of every clip, and the class of its first second with an event."""
        return prediction.scores.mean(1, keepdim=True), first_events(batch.target)


def first_events(target: Tensor) -> Tensor:
    """Returns the target of whole clips: the label of the first second that is not background, the last label.

    Args:
        target: `(clip, second, label)`, one-hot.
    """
    events = target.clone()
    events[..., -1] = 0
    first = events.any(-1).int().argmax(1)
    return events.gather(1, first[:, None, None].expand(-1, 1, events.shape[2]))


TASK = Pretraining()
