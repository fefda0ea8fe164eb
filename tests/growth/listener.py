"""A system of the task `loudness`: the tiny encoders coupled by DG-SCT, and a linear layer."""

from functools import partial

from loudness import SECONDS, Counted
from torch import nn
from torch.nn import functional as F

from crossmodal.guidance import ClipGuidance
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.coupled_system import CoupledSystem, Coupling, coupled_pair
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(optim={"lr": 1e-3})
COUPLING = partial(dg_sct, temporal=partial(ClipGuidance, segments=SECONDS))


class Listener(CoupledSystem):
    """Pools both streams over the clip and reads the count."""

    def __init__(self, pair, classes):
        super().__init__(pair, classes=classes)
        self.readout = nn.Linear(pair.widths[1], len(classes))

    def forward(self, batch):
        return self.readout(self.pool(batch.frames, batch.wave).audio.mean(1))

    def loss(self, outputs, batch):
        return {"cross_entropy": F.cross_entropy(outputs, batch.count)}

    def predict(self, outputs):
        return Counted(outputs.argmax(1))

    def probabilities(self, outputs):
        return outputs.softmax(1)[:, None]


def listener(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes=("0", "1"),
    coupling: Coupling = COUPLING,
):
    """Builds the system.

    Args:
        visual: Visual encoder by name.
        audio: Audio encoder by name.
        classes: The counts.
        coupling: Couples the encoders.
    """
    return Listener(coupled_pair(visual, audio, coupling=coupling), classes)
