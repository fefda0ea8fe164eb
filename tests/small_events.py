"""The smallest whole model of audio-visual events: one stage of either encoder, two seconds a clip, random weights."""

from functools import partial

import torch
from torch import nn

from crossmodal.adapters import Bottleneck
from crossmodal.audio import LogMel
from crossmodal.audio.repeated import RepeatedLogMel
from crossmodal.data import Preprocess
from crossmodal.encoders import htsat, swin_v2
from crossmodal.guidance import ClipGuidance
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.event_system import AudioVisualEvents


def small_events(coupled=dg_sct, depths=(1,), classes="abc", rate=1000, **parts):
    """Every part of `the system at laptop size` at the smallest size, awake: no gate is silent, no dropout."""
    torch.manual_seed(0)
    sizes = {"patch": 4, "width": 8, "depths": depths, "heads": (1, 2)[: len(depths)], "window": 2, "drop_path": 0.0}
    visual, audio = swin_v2(16, **sizes), htsat(16, mels=8, augment=nn.Identity, **sizes)
    parts = {
        "latents": 2,
        "temporal": partial(ClipGuidance, segments=2, hidden=4),
        "bottleneck": partial(Bottleneck, reduction=2, groups=1),
        **parts,
    }
    width = visual.sites[-1].width
    sound = RepeatedLogMel(LogMel(rate, n_fft=64, hop=rate // 31, mels=8, fmin=rate / 100, fmax=rate / 2), rate)
    model = AudioVisualEvents(
        Pair(coupled(visual, audio, **parts), (width, width), sound, Preprocess(16, rate)),
        temporal=TemporalAttention(width, width, width=8, gamma=0.1, dropout=0.0),
        head=EventHead(8, len(classes)),
        classes=classes,
    )
    for name, parameter in model.named_parameters():
        if ".couplers." in name and name.endswith(("gate", "scale")):
            parameter.data.fill_(0.3)
        if name.endswith("norm.weight"):  # Swin-V2's start at zero
            parameter.data.fill_(1.0)
    return model


def clips(count, seed=1):
    """Frames and wave of so many clips."""
    torch.manual_seed(seed)
    return torch.randn(count, 2, 3, 16, 16), torch.randn(count, 2, 1000)
