"""A system of one's own that any trainer can take: the smallest events system, on clips of the built-in world."""

from functools import partial

from small_events import small_events
from torch import nn

from crossmodal.adapters import Bottleneck
from crossmodal.guidance import ClipGuidance


def small_system(*, classes):
    """Builds it; no batch norm, so that a batch is the mean of its parts."""
    norm = partial(Bottleneck, reduction=2, groups=1, norm=nn.Identity)
    temporal = partial(ClipGuidance, segments=10, hidden=4)
    return small_events(temporal=temporal, bottleneck=norm, classes=classes, rate=16_000)
