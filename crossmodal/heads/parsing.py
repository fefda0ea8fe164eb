"""Audio-visual video parsing: pooling of segments to clips, the losses on a clip's labels, and the decoding."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..precision import without_autocast
from ..shapes import check_width, shaped

SMALLEST = 1e-7
"""Probabilities stay that far from 0 and 1 before their logarithm, as in the released codes."""


class Parsed(NamedTuple):
    """Probabilities of every category.

    Attributes:
        clip: Does the clip show the category at all?
        audio: Is it heard anywhere in the clip?
        visual: Is it seen anywhere in the clip?
        audio_segments: Is it heard in a segment? Above 1 where a head multiplies by a factor of more than 1.
        visual_segments: Is it seen in a segment?
    """

    clip: Float[Tensor, "clip category"]
    audio: Float[Tensor, "clip category"]
    visual: Float[Tensor, "clip category"]
    audio_segments: Float[Tensor, "clip segment category"]
    visual_segments: Float[Tensor, "clip segment category"]


class DecodedParsing(NamedTuple):
    """Prediction of the task `avvp`: decisions, and the probabilities behind them."""

    audio: Bool[Tensor, "clip segment category"]
    visual: Bool[Tensor, "clip segment category"]
    audio_scores: Float[Tensor, "clip segment category"]
    visual_scores: Float[Tensor, "clip segment category"]


class AttentivePooling(nn.Module):
    r"""Pools probabilities of segments over time and modality, with weights that every category learns (MMIL pooling).

    With $p = \sigma(W x)$, time weights $w = \operatorname{softmax}_t(W_t x)$ and modality weights
    $u = \operatorname{softmax}_m(W_m x)$: clip $\sum_t \sum_m w\,u\,p$; of one modality $\sum_t w\,p$.

    Shapes: audio and visual `(clip, segment, width)` → `Parsed`.
    Source: Tian et al., *Unified Multisensory Perception*, ECCV 2020 (HAN).
    """

    def __init__(self, width: int, classes: int):
        """Builds the block.

        Args:
            width: Channels of both modalities.
            classes: Number of categories.
        """
        super().__init__()
        self.probability = nn.Linear(width, classes)
        self.time_weight, self.modality_weight = nn.Linear(width, classes), nn.Linear(width, classes)

    @shaped
    def forward(
        self, audio: Float[Tensor, "clip segment width"], visual: Float[Tensor, "clip segment width"]
    ) -> Parsed:
        """Computes the probabilities of segments and clips."""
        check_width(self, "audio", audio, self.probability.in_features)
        both = torch.stack([audio, visual], dim=2)  # (clip, segment, modality, width)
        segments = self.probability(both).sigmoid()
        weighed = self.time_weight(both).softmax(1) * segments
        clip = (self.modality_weight(both).softmax(2) * weighed).sum((1, 2))
        heard, seen = weighed.sum(1).unbind(1)
        return Parsed(clip, heard, seen, segments[:, :, 0], segments[:, :, 1])


class SegmentReadouts(nn.Module):
    """Reads probabilities of segments off three sequences and pools them by their means over time.

    Shapes: audio, visual and both `(clip, segment, channel)` → `Parsed`; the clip's probability is that of `both`.
    Source: a reconstruction of ours. MGN's preprint says of AVEL and AVSDN on LLP that they got “additional
    audio-visual parsing branches”, and no more.
    """

    def __init__(self, audio: int, visual: int, both: int, classes: int):
        """Builds the linear layers.

        Args:
            audio: Channels of the audio sequence.
            visual: Channels of the visual sequence.
            both: Channels of the sequence of both modalities.
            classes: Number of categories.
        """
        super().__init__()
        self.audio, self.visual, self.both = (nn.Linear(width, classes) for width in (audio, visual, both))

    @shaped
    def forward(
        self,
        audio: Float[Tensor, "clip segment audio_channel"],
        visual: Float[Tensor, "clip segment visual_channel"],
        both: Float[Tensor, "clip segment both_channel"],
    ) -> Parsed:
        """Computes the probabilities of segments and clips."""
        check_width(self, "both", both, self.both.in_features)
        heard, seen = self.audio(audio).sigmoid(), self.visual(visual).sigmoid()
        return Parsed(self.both(both).sigmoid().mean(1), heard.mean(1), seen.mean(1), heard, seen)


def parsing_losses(
    parsed: Parsed, present: Float[Tensor, "clip category"], *, audio_label: float = 1.0, visual_label: float = 0.9
) -> dict[str, Tensor]:
    r"""Computes the cross-entropies of clip, audio and visual probabilities against the labels of the clips.

    The labels of one modality are smoothed to $s y + (1 - s) / 2$: not every category of a clip is seen.

    Args:
        parsed: Probabilities.
        present: 1 where a clip shows a category, in whichever modality.
        audio_label: $s$ of the audio labels; published 1.
        visual_label: $s$ of the visual labels; published 0.9.
    """
    with without_autocast(present.device):
        return {
            name: _cross_entropy(found, share * present + (1 - share) / 2)
            for name, found, share in (
                ("clip", parsed.clip, 1.0),
                ("audio", parsed.audio, audio_label),
                ("visual", parsed.visual, visual_label),
            )
        }


def decode_parsing(parsed: Parsed, threshold: float = 0.5) -> DecodedParsing:
    """Marks a category in a segment where the segment's and the clip's probability reach the threshold.

    Args:
        parsed: Probabilities.
        threshold: Least probability.
    """
    shown = (parsed.clip >= threshold)[:, None]
    audio, visual = parsed.audio_segments, parsed.visual_segments
    return DecodedParsing(shown & (audio >= threshold), shown & (visual >= threshold), audio, visual)


def joint_probabilities(parsed: Parsed) -> Float[Tensor, "clip segment label"]:
    """Returns the probability that a category is both heard and seen in a segment and, last, that none is."""
    shown = parsed.clip[:, None].clamp(max=1)
    joint = parsed.audio_segments.clamp(max=1) * parsed.visual_segments.clamp(max=1) * shown
    return torch.cat([joint, (1 - joint).prod(2, keepdim=True)], dim=2)


def _cross_entropy(found: Tensor, target: Tensor) -> Tensor:
    """Returns the binary cross-entropy of probabilities that may be 0 or 1."""
    return F.binary_cross_entropy(found.to(target.dtype).clamp(SMALLEST, 1 - SMALLEST), target)
