"""Audio-visual event localisation by coupled encoders: pooling, temporal attention and the event head."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data import Clip, LabelledClip
from crossmodal.heads import Events, MapPooling, MeanPooling, PoolFactory, decode_events, event_losses
from crossmodal.heads.events import DecodedEvents, decode_segments
from crossmodal.heads.objectives import Objective, segment_cross_entropy
from crossmodal.shapes import shaped

from .coupled_system import CoupledSystem, Pair

GateLoss = Callable[[Tensor, Tensor], Tensor]


class AudioVisualEvents(CoupledSystem):
    """Coupled encoders, temporal attention and event head: a clip's event, and the segments that show it.

    Source: DG-SCT on AVE. Swin's final norm is applied, HTS-AT's is not, as in the released code.
    """

    def __init__(
        self,
        pair: Pair,
        *,
        temporal: nn.Module,
        head: nn.Module,
        classes: Sequence[str],
        pool: PoolFactory = MapPooling,
        gate_loss: GateLoss = F.binary_cross_entropy,
    ):
        """Puts the heads on a pair of encoders.

        Args:
            pair: Coupled encoders, as `coupled_pair` builds them.
            temporal: `(visual, audio) -> Attended`, on `(clip, segment, channel)`.
            head: `Attended -> Events`.
            classes: Names of the events; background is not counted.
            pool: Builds the pooling of a stream, as `CoupledSystem` takes it.
            gate_loss: Loss of the temporal gate in training, as `event_losses` takes it; on held-out clips it is the
                cross-entropy.
        """
        super().__init__(pair, classes=classes, pool=pool)
        self.temporal, self.head, self.gate_loss = temporal, head, gate_loss

    def forward(self, batch: Clip | LabelledClip, *, present: Mapping[str, Tensor] | None = None) -> Events:
        """Scores a batch of clips as `preprocess` makes them.

        Args:
            batch: Clips; `frames` or `wave` may be `None` where no clip has it.
            present: `"visual"` or `"audio"` → `(clip,)`, which clips have it, where some lack it. A missing modality
                guides nothing, and its vectors are zero.
        """
        return self.score(batch.frames, batch.wave, present=present)

    @shaped
    def score(
        self,
        frames: Float[Tensor, "clip segment 3 height width"] | None,
        wave: Float[Tensor, "clip segment sample"] | None = None,
        *,
        present: Mapping[str, Bool[Tensor, " clip"]] | None = None,
    ) -> Events:
        """Scores clips given as tensors; the arguments are those of `forward`."""
        return self.head(self.temporal(*self.pool(frames, wave, present=present)))

    def loss(self, outputs: Events, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the four cross-entropies of the event head."""
        # held-out losses of two trainings stay comparable, whatever either gives the gate to
        gate_loss = self.gate_loss if self.training else F.binary_cross_entropy
        return event_losses(outputs, batch.labels, gate_loss=gate_loss)

    def predict(self, outputs: Events) -> DecodedEvents:
        """Returns the event, or background, of every segment."""
        return decode_events(outputs)

    def probabilities(self, outputs: Events) -> Float[Tensor, "clip segment label"]:
        """Returns the probability of every event and, last, of background, as `decode_events` weighs them."""
        relevance = outputs.relevance.sigmoid()[:, :, None]
        return torch.cat([relevance * outputs.event.softmax(1)[:, None], 1 - relevance], dim=2)


class CoupledSegments(CoupledSystem):
    """Coupled encoders and a head that scores every label, background included, in every segment by itself."""

    def __init__(
        self,
        pair: Pair,
        *,
        head: nn.Module,
        classes: Sequence[str],
        objective: Objective = segment_cross_entropy,
        pool: PoolFactory = MeanPooling,
    ):
        """Puts the head on a pair of encoders.

        Args:
            pair: Coupled encoders.
            head: `(visual, audio) -> scores`, from `(clip, segment, channel)` to `(clip, segment, label)`.
            classes: Names of the events; background is not counted.
            objective: Loss of the scores; one of `crossmodal.heads.objectives`.
            pool: Builds the pooling of a stream.
        """
        super().__init__(pair, classes=classes, pool=pool)
        self.head, self.objective = head, objective

    def forward(self, batch: Clip | LabelledClip, *, present: Mapping[str, Tensor] | None = None) -> Tensor:
        """Scores a batch of clips; the arguments are those of `AudioVisualEvents.forward`."""
        scores: Tensor = self.head(*self.pool(batch.frames, batch.wave, present=present))
        return scores

    def loss(self, outputs: Tensor, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the objective's loss."""
        return {"segments": self.objective(outputs, batch.labels)}

    def predict(self, outputs: Tensor) -> DecodedEvents:
        """Returns the most likely label of every segment."""
        return decode_segments(outputs)

    def probabilities(self, outputs: Tensor) -> Float[Tensor, "clip segment label"]:
        """Returns the probability of every event and, last, of background."""
        return outputs.softmax(2)
