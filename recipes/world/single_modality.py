"""Systems that hear or see alone: the score of one modality, with the same frozen encoders and the same head.

`crossmodal ave fit --system crossmodal.recipes.world.single_modality.audio_only --model.edges []` trains one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.temporal import Attended
from crossmodal.recipes.ave.dg_sct import SETTINGS as SETTINGS
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.event_system import AudioVisualEvents


class WithoutModality(nn.Module):
    """Temporal attention whose view of one modality is zero; shapes as the attention's."""

    def __init__(self, temporal: nn.Module, modality: str):
        """Wraps an attention.

        Args:
            temporal: `(visual, audio) -> Attended`.
            modality: The one that is left out, `"visual"` or `"audio"`.

        Raises:
            ValueError: If there is no such modality.
        """
        super().__init__()
        if modality not in ("visual", "audio"):
            raise ValueError(f"WithoutModality: modality={modality!r} must be 'visual' or 'audio'.")
        self.temporal, self.modality = temporal, modality

    def forward(self, visual: Tensor, audio: Tensor) -> Attended:
        """Attends to the modality that is left."""
        given = {"visual": visual, "audio": audio}
        given[self.modality] = torch.zeros_like(given[self.modality])  # not left out: the heads have weights for both
        attended: Attended = self.temporal(given["visual"], given["audio"])
        return attended

    def extra_repr(self) -> str:
        """Returns the modality that is left out."""
        return f"modality={self.modality!r}"


def audio_only(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = couple_dg_sct,
) -> AudioVisualEvents:
    """Builds the system that only hears.

    Args:
        visual: Visual encoder.
        audio: Audio encoder.
        classes: Names of the events.
        coupling: Couples the encoders by no edge, `edges=()`: with one the sound would have seen the frames.

    Raises:
        ValueError: If the coupling has an edge.
    """
    return _without("visual", dg_sct(visual, audio, classes=classes, coupling=coupling))


def visual_only(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = COLOURS[:6],
    coupling: Coupling = couple_dg_sct,
) -> AudioVisualEvents:
    """Builds the system that only sees.

    Args:
        visual: Visual encoder.
        audio: Audio encoder.
        classes: Names of the events.
        coupling: Couples the encoders by no edge, `edges=()`: with one the frames would have heard the sound.

    Raises:
        ValueError: If the coupling has an edge.
    """
    return _without("audio", dg_sct(visual, audio, classes=classes, coupling=coupling))


def _without(modality: str, system: AudioVisualEvents) -> AudioVisualEvents:
    """Returns the system without one modality in front of its head."""
    if any(coupler.edges for coupler in system.coupled.couplers.values()):
        raise ValueError(f"single modality: the model leaves {modality} out, but its couplers read it: pass edges=().")
    system.temporal = WithoutModality(system.temporal, modality)
    return system
