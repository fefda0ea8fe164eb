"""Audio-visual event localization: the head, its loss and its decoding."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from ..precision import without_autocast
from ..shapes import check_width, shaped
from .temporal import Attended


class Events(NamedTuple):
    """Outputs of the event head.

    Attributes:
        relevance: Per-segment logit: is an event both audible and visible?
        event: Per-clip logits of the event classes.
        activation: Per-clip logits of the event classes, from the segments with the highest activation.
        gate: Per-segment gate of the temporal attention, in [0, 1].
    """

    relevance: Float[Tensor, "clip segment"]
    event: Float[Tensor, "clip event"]
    activation: Float[Tensor, "clip event"]
    gate: Float[Tensor, "clip segment"]


class EventHead(nn.Module):
    """Computes relevance of segments and event logits of clips from both modalities after temporal attention.

    The activation of a class is the mean of its `top` highest segments, averaged over modalities. The event logits
    are computed from the maximum over time, plus `weight` times the activation.

    Shapes: `Attended` of `(clip, segment, width)` → `Events`. Source: DG-SCT's released AVE model, after CMBS, without
    the cross-modal interactions whose outputs the released code discards.
    """

    def __init__(self, width: int = 256, classes: int = 28, *, top: int = 4, weight: float = 0.3):
        """Builds the head; the defaults are the published numbers for AVE.

        Args:
            width: Channels of the attended modalities.
            classes: Number of event classes without background.
            top: Segments averaged to an activation (all of them in shorter clips).
            weight: Weight of the activation in the event logits.
        """
        super().__init__()
        self.top, self.weight = top, weight
        self.visual_activation = nn.Linear(width, classes)
        self.audio_activation = nn.Linear(width, classes)
        self.relevance = nn.Linear(width, 1)
        self.event = nn.Linear(width, classes)

    @shaped
    def forward(self, attended: Attended) -> Events:
        """Computes the logits of clips."""
        check_width(self, "attended.visual", attended.visual, self.event.in_features)
        fused = (attended.visual + attended.audio) / 2
        top = min(self.top, fused.shape[1])  # a clip may be shorter, such as the last window of a video
        activations = self.visual_activation(attended.visual), self.audio_activation(attended.audio)
        activation = sum(segments.topk(top, dim=1).values.mean(1) for segments in activations) / 2
        event = self.event(fused.amax(1)) + self.weight * activation
        return Events(self.relevance(fused).squeeze(2), event, activation, attended.gate.squeeze(2))

    def extra_repr(self) -> str:
        """Shows `top` and `weight`."""
        return f"top={self.top}, weight={self.weight}"


def event_losses(
    events: Events,
    labels: Int64[Tensor, "clip segment"],
    *,
    gate_loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy,
) -> dict[str, Tensor]:
    """Computes the four cross-entropies of weight one: relevance, gate, event and activation against the labels.

    They are computed in float32 at least and outside autocast, where torch refuses a cross-entropy of probabilities.

    Args:
        events: Outputs of the head.
        labels: Class of every segment; the number of classes stands for background. A clip without any event has no
            class to learn and counts in the first two terms alone.
        gate_loss: Loss of the gate. The released code applies `binary_cross_entropy_with_logits` to the gate although
            it is a sigmoid already; pass it to do so.

    Returns:
        Term → loss; the last two are absent where no clip shows an event.
    """
    with without_autocast(events.gate.device):
        exact = (scores.to(torch.promote_types(scores.dtype, torch.float32)) for scores in events)
        return _event_losses(Events(*exact), labels, gate_loss)


def _event_losses(events: Events, labels: Tensor, gate_loss: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
    """Computes the losses of scores in full precision."""
    shown = labels != events.event.shape[1]
    foreground = shown.to(events.relevance.dtype)
    of_clip = torch.where(shown, labels, -1).amax(1)  # -1 for a clip without an event, which both losses leave out
    losses = {
        "relevance": F.binary_cross_entropy_with_logits(events.relevance, foreground),
        "gate": gate_loss(events.gate, foreground),
    }
    if shown.any():  # else the mean would be over no clips: not a number
        losses["event"] = F.cross_entropy(events.event, of_clip, ignore_index=-1)
        losses["activation"] = F.cross_entropy(events.activation, of_clip, ignore_index=-1)
    return losses


@shaped
def event_loss(
    events: Events,
    labels: Int64[Tensor, "clip segment"],
    *,
    gate_loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy,
) -> Float[Tensor, ""]:
    """Computes the sum of `event_losses`."""
    return torch.stack(list(event_losses(events, labels, gate_loss=gate_loss).values())).sum()


class DecodedEvents(NamedTuple):
    """Class of every segment (background is the number of classes), and its confidence in [0, 1]."""

    labels: Int64[Tensor, "clip segment"]
    confidence: Float[Tensor, "clip segment"]


@shaped
def decode_events(events: Events) -> DecodedEvents:
    """Assigns the clip's most likely event to every segment whose relevance is above one half, else background.

    The confidence is the relevance times the probability of the event, or one minus the relevance.
    """
    relevance = events.relevance.sigmoid()
    probability, event = events.event.softmax(1).max(1, keepdim=True)
    shown = relevance > 0.5
    labels = torch.where(shown, event, events.event.shape[1])
    return DecodedEvents(labels, torch.where(shown, relevance * probability, 1 - relevance))
