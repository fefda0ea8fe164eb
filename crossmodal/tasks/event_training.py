"""Training of audio-visual events: the loss of a step, and what is right."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from crossmodal.data import LabelledClip
from crossmodal.heads import Events, decode_events, event_loss
from crossmodal.heads.events import Decoded
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.training.lightning_module import ClipTraining


class EventTraining(ClipTraining):
    """Adam on everything that is not frozen, with a learning rate that falls in steps; selection on validation.

    - `model`: the events model; its frozen encoders are left out of checkpoints.
    - `lr`: learning rate. `decay`, `every`: it is multiplied by `decay` every so many epochs.
    - `gate_loss`: the loss on the temporal gate in training, as `event_loss` takes it.
    - `schedule`: `(optimizer, steps of the whole training) -> scheduler`, stepped after every step, in place of
      `decay`; `crossmodal.training.schedules.one_cycle` is one.

    Defaults: the released schedule of AVE.
    """

    def __init__(
        self,
        model: AudioVisualEvents,
        *,
        lr: float = 5e-4,
        decay: float = 0.35,
        every: int = 3,
        gate_loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy,
        schedule: Callable[[Optimizer, int], LRScheduler] | None = None,
    ):
        super().__init__(model, lr=lr, decay=decay, every=every, schedule=schedule)
        self.gate_loss = gate_loss

    def loss_of(self, said: Events, batch: LabelledClip) -> Tensor:
        """The four-term loss; on held-out clips the gate's own term is always the cross-entropy."""
        gate_loss = self.gate_loss if self.training else F.binary_cross_entropy
        return event_loss(said, batch.labels, gate_loss=gate_loss)

    def truth_of(self, batch: LabelledClip) -> Tensor:
        """The label of every second."""
        return batch.labels

    def decode(self, said: Events) -> Decoded:
        """The event, or background, of every second."""
        return decode_events(said)
