"""Classification of whole clips by coupled encoders: pooling and a linear head."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data import Clip, LabelledClip
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.shapes import shaped

from .coupled_system import CoupledSystem, Pair


class Classified(NamedTuple):
    """Prediction of the task `classify`.

    Attributes:
        labels: Likeliest class of every clip.
        confidence: Its probability.
        probabilities: Of all classes.
    """

    labels: Int64[Tensor, "clip 1"]
    confidence: Float[Tensor, "clip 1"]
    probabilities: Float[Tensor, "clip label"]


class AudioVisualClasses(CoupledSystem):
    """Coupled encoders and a head on whole clips: one class per clip."""

    def __init__(self, pair: Pair, *, head: nn.Module, classes: Sequence[str], pool: PoolFactory = MapPooling):
        """Puts the head on a pair of encoders.

        Args:
            pair: Coupled encoders, as `coupled_pair` builds them.
            head: `(visual, audio) -> logits`, from `(clip, segment, channel)` to `(clip, class)`.
            classes: Names of the labels.
            pool: Builds the pooling of a stream, as `CoupledSystem` takes it.
        """
        super().__init__(pair, classes=classes, pool=pool)
        self.head = head

    def forward(
        self, batch: Clip | LabelledClip, *, present: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, "clip label"]:
        """Returns the logits of a batch of clips; the arguments are those of `AudioVisualEvents.forward`."""
        return self.score(batch.frames, batch.wave, present=present)

    @shaped
    def score(
        self,
        frames: Float[Tensor, "clip segment 3 height width"] | None,
        wave: Float[Tensor, "clip segment sample"] | None = None,
        *,
        present: Mapping[str, Bool[Tensor, " clip"]] | None = None,
    ) -> Float[Tensor, "clip label"]:
        """Returns the logits of clips given as tensors."""
        return self.head(*self.pool(frames, wave, present=present))

    def loss(self, outputs: Tensor, batch: LabelledClip) -> dict[str, Tensor]:
        """Returns the cross-entropy of the clips' labels."""
        return {"cross_entropy": F.cross_entropy(outputs, clip_label(batch.labels, len(self.classes))[:, 0])}

    def predict(self, outputs: Tensor) -> Classified:
        """Returns the likeliest class of every clip and the probabilities of all."""
        probabilities = outputs.softmax(1)
        confidence, labels = probabilities.max(dim=1, keepdim=True)
        return Classified(labels, confidence, probabilities)

    def probabilities(self, outputs: Tensor) -> Float[Tensor, "clip 1 label"]:
        """Returns the probability of every class."""
        return outputs.softmax(1)[:, None]


def clip_label(labels: Tensor, background: int) -> Tensor:
    """Returns the one event of every clip, from the labels of its segments: `(clip, segment)` → `(clip, 1)`.

    Args:
        labels: Class indices.
        background: Index of background, which is ignored.

    Raises:
        ValueError: If a clip shows no event, or several.
    """
    of_clip = labels.amin(dim=1, keepdim=True)  # background has the largest index
    if (of_clip == background).any() or ((labels != of_clip) & (labels != background)).any():
        raise ValueError("classify: a clip shows no event, or several: it needs one label.")
    return of_clip
