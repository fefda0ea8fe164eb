"""Base of systems that segment what sounds: encoders in lockstep, whose stages a mask head reads."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from crossmodal.audio import RepeatedLogMel
from crossmodal.data import Clip
from crossmodal.data.segmented_clip import SegmentedClip
from crossmodal.heads import MapPooling, PoolFactory
from crossmodal.heads.mask_pyramid import pyramid_sites
from crossmodal.heads.masks import (
    DecodedMasks,
    MaskHead,
    Segmented,
    at_size,
    mask_cross_entropy,
    matching_divergence,
)
from crossmodal.injection import Coupled
from crossmodal.named_draws import drawn
from crossmodal.site import Site

from .coupled_system import CoupledSystem, Pair

HeadFactory = Callable[[Sequence[Site], int], MaskHead]
"""`factory(sites, audio width)`: builds the head on the streams at these sites."""

MOST_SECONDS = 5
"""Seconds to which the released code repeats one second of sound for HTS-AT, where events repeat it to ten."""


class MaskSystem(CoupledSystem):
    """Couples two encoders, taps the end of every visual stage, and decodes masks from these and the pooled sound.

    Attributes:
        labels_are_unread: Predictions have no labels: data with other categories are tested like the same.
    """

    labels_are_unread = True

    def __init__(
        self,
        pair: Pair,
        *,
        classes: Sequence[str],
        head: HeadFactory,
        pool: PoolFactory = MapPooling,
        matching: float = 0.0,
    ):
        """Builds the head.

        Args:
            pair: Coupled encoders.
            classes: Names of the categories that items carry; masks do not depend on them.
            head: Builds the mask head.
            pool: Builds the pooling of a stream over its tokens; the sound's is read by the head.
            matching: Weight of the audio-visual matching loss; 0 leaves it out.

        Raises:
            ValueError: If `matching` is negative, or the pooling asks for a map that no adapter makes.
        """
        if matching < 0:
            raise ValueError(f"{type(self).__name__}: matching={matching} must be at least 0.")
        super().__init__(pair, classes=classes, pool=pool)
        self.tapped = pyramid_sites(self.coupled.sites["visual"])
        self.head = drawn("head", head, self.tapped, pair.widths[1])
        self.matching = matching

    def remarks(self) -> list[str]:
        """Returns how the sound is pooled."""
        return [f"audio pooled by {self.pooled_by()['audio']}"]

    def forward(self, batch: Clip | SegmentedClip) -> Segmented:
        """Computes the logits of the masks of clips."""
        taps = [f"visual.{site.name}" for site in self.tapped]
        coupled = self.run(batch.frames, batch.wave, taps=taps)
        streams = [coupled.taps[name] for name in taps]
        streams[-1] = self._final("visual", streams[-1])
        outputs: Segmented = self.head(streams, self.heard(coupled, batch.frames.shape[0]))
        return outputs

    def heard(self, coupled: Coupled, clips: int) -> Float[Tensor, "clip segment channel"]:
        """Computes one audio vector per second."""
        return self._pool_stream("audio", coupled).unflatten(0, (clips, -1))

    def loss(self, outputs: Segmented, batch: SegmentedClip) -> dict[str, Tensor]:
        """Returns the cross-entropy of the masks that are known, and the matching loss where it has a weight."""
        height, width = batch.masks.shape[2:]
        logits = at_size(outputs.logits, (height, width))
        terms = {"masks": mask_cross_entropy(logits, batch.masks, batch.supervised)}
        return {**terms, "matching": self.matching * matching_divergence(outputs)} if self.matching else terms

    def predict(self, outputs: Segmented) -> DecodedMasks:
        """Returns the probability of every pixel."""
        return DecodedMasks(outputs.logits.sigmoid())

    def probabilities(self, outputs: Segmented) -> Float[Tensor, "clip segment label"]:
        """Returns how sure the system is that a visible object sounds, and last that none does.

        Masks have no category: the most likely pixel stands for every one of them.
        """
        shown = outputs.logits.sigmoid().amax((2, 3))[..., None]
        return torch.cat([shown.expand(*shown.shape[:2], max(1, len(self.classes))), 1 - shown], dim=2)


def shortened(pair: Pair) -> Pair:
    """Returns encoders whose front end repeats a second to five at most, as the released segmentation models do.

    Args:
        pair: Coupled encoders.
    """
    if isinstance(pair.sound, RepeatedLogMel):
        pair.sound.length = min(pair.sound.length, MOST_SECONDS * pair.preprocess.rate)
    return pair
