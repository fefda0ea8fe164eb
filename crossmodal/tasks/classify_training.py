"""Training of a classifier of clips: cross-entropy, and the share of clips that are right."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crossmodal.data import LabelledClip
from crossmodal.heads.events import Decoded
from crossmodal.recipes.classify.dg_sct import AudioVisualClasses
from crossmodal.training.lightning_module import ClipTraining


class ClassTraining(ClipTraining):
    """Adam on everything that is not frozen, with a learning rate that falls in steps; selection on validation.

    - `model`: the classifier; its frozen encoders are left out of checkpoints.
    - `lr`: learning rate. `decay`, `every`: it is multiplied by `decay` every so many epochs.
    - `schedule`: `(optimizer, steps of the whole training) -> scheduler`, stepped after every step, in place of
      `decay`; `crossmodal.training.schedules.one_cycle` is one.
    """

    def __init__(
        self,
        model: AudioVisualClasses,
        *,
        lr: float = 5e-4,
        decay: float = 0.35,
        every: int = 3,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
    ):
        super().__init__(model, lr=lr, decay=decay, every=every, schedule=schedule)

    def loss_of(self, said: Tensor, batch: LabelledClip) -> Tensor:
        """The cross-entropy of the clips' labels."""
        return F.cross_entropy(said, self.truth_of(batch)[:, 0])

    def truth_of(self, batch: LabelledClip) -> Tensor:
        """The label of a clip: the event that it shows."""
        return clip_label(batch.labels, len(self.model.classes))

    def decode(self, said: Tensor) -> Decoded:
        """The likeliest class of every clip, and its probability."""
        return decode_classes(said)


def clip_label(labels: Tensor, background: int) -> Tensor:
    """The one event of every clip, from the labels of its seconds: `(clip, segment)` → `(clip, 1)`.

    Raises `ValueError` where a clip shows none, or several.
    """
    of_clip = labels.amin(dim=1, keepdim=True)
    if (of_clip == background).any() or ((labels != of_clip) & (labels != background)).any():
        raise ValueError("classify: a clip shows no event, or several: it needs one label.")
    return of_clip


def decode_classes(logits: Tensor) -> Decoded:
    """The likeliest class and its probability, `(clip, 1)` each, as `decode_events` gives them by second."""
    probability, label = torch.softmax(logits, dim=1).max(dim=1, keepdim=True)
    return Decoded(label, probability)
