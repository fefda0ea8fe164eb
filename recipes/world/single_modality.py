"""The tiny models that hear or see alone: what one modality can do, with the same frozen encoders and the same head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crossmodal.data.world import COLOURS
from crossmodal.heads.temporal import Attended
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents, Coupling, tiny
from crossmodal.recipes.dg_sct import dg_sct


class Without(nn.Module):
    """A temporal attention whose view of one modality is zero; shapes as the attention's."""

    def __init__(self, temporal: nn.Module, modality: str):
        """`modality`: the one that is left out, `"visual"` or `"audio"`."""
        super().__init__()
        if modality not in ("visual", "audio"):
            raise ValueError(f"Without: modality={modality!r} must be 'visual' or 'audio'.")
        self.temporal, self.modality = temporal, modality

    def forward(self, visual: Tensor, audio: Tensor) -> Attended:
        """What the attention makes of the modality that is left."""
        given = {"visual": visual, "audio": audio}
        given[self.modality] = torch.zeros_like(given[self.modality])
        attended: Attended = self.temporal(given["visual"], given["audio"])
        return attended

    def extra_repr(self) -> str:
        return f"modality={self.modality!r}"


def audio_only(*, coupled: Coupling = dg_sct, classes: Sequence[str] = COLOURS[:6]) -> AudioVisualEvents:
    """`tiny()` that only hears; couple it by nothing (`edges=()`), or the sound will have seen the frames."""
    return _without("visual", coupled, classes)


def visual_only(*, coupled: Coupling = dg_sct, classes: Sequence[str] = COLOURS[:6]) -> AudioVisualEvents:
    """`tiny()` that only sees; couple it by nothing (`edges=()`), or the frames will have heard the sound."""
    return _without("audio", coupled, classes)


def _without(modality: str, coupled: Coupling, classes: Sequence[str]) -> AudioVisualEvents:
    model = tiny(coupled=coupled, classes=classes)
    if any(coupler.edges for coupler in model.coupled.couplers.values()):
        raise ValueError(f"single modality: the model leaves {modality} out, but its couplers read it: pass edges=().")
    model.temporal = Without(model.temporal, modality)
    return model
