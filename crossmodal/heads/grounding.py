"""Grounding of a sound in a frame by cosine, and a head that tells whether both belong together."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped


class Grounded(NamedTuple):
    """Vector of a frame with what its sound finds in it, and where that is; the weights sum to one over tokens."""

    vector: Float[Tensor, "frame width"]
    weights: Float[Tensor, "frame token"]


class CosineGrounding(nn.Module):
    r"""Finds in a frame what a sound belongs to: $w_p = \operatorname{softmax}_p (\hat v_p \cdot \hat a)$.

    The result is $W \tanh [\bar v; \sum_p w_p \hat v_p]$: the mean is of the tokens as they are, the weighted sum of
    the normalised ones. Cosines are not scaled, so that no weight is more than $e^2$ times another.

    Shapes: stream `(frame, token, width)`, audio `(frame, width)` → vector `(frame, width)` and weights.
    Source: the spatial grounding of ST-AVQA (CVPR 2022).
    """

    def __init__(self, width: int = 512):
        """Builds the block.

        Args:
            width: Channels of tokens, sound and result.
        """
        super().__init__()
        self.fuse = nn.Linear(2 * width, width)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token width"], audio: Float[Tensor, "frame width"]) -> Grounded:
        """Grounds a sound per frame."""
        check_width(self, "stream", stream, self.fuse.out_features)
        seen = F.normalize(stream, dim=2)
        weights = (seen @ F.normalize(audio, dim=1)[:, :, None]).softmax(1)
        found = (weights.mT @ seen)[:, 0]
        return Grounded(self.fuse(torch.cat([stream.mean(1), found], dim=1).tanh()), weights[:, :, 0])


class MeanGrounding(nn.Module):
    """Averages the tokens of a frame, whatever is heard: in the place of a `CosineGrounding`.

    Shapes: as of `CosineGrounding`. Source: the plain baseline of ST-AVQA's repository.
    """

    def __init__(self, width: int = 512):
        """Builds the block, which has no parameters.

        Args:
            width: Channels; not used.
        """
        super().__init__()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token width"], audio: Float[Tensor, "frame width"]) -> Grounded:
        """Computes the mean."""
        return Grounded(stream.mean(1), torch.full_like(stream[:, :, 0], 1 / stream.shape[1]))


class MatchHead(nn.Module):
    """Tells whether a sound and a frame belong together: logits of no and yes.

    Shapes: audio and visual `(frame, width)` → `(frame, 2)`. Source: ST-AVQA (CVPR 2022).
    """

    def __init__(self, width: int = 512, *, hidden: Sequence[int] = (512, 256, 128)):
        """Builds the layers; the defaults are the published numbers.

        Args:
            width: Channels of either input.
            hidden: Units of the layers between.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for entering, leaving in pairwise((2 * width, *hidden, 2)):
            layers += [nn.Linear(entering, leaving), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    @shaped
    def forward(
        self, audio: Float[Tensor, "frame width"], visual: Float[Tensor, "frame width"]
    ) -> Float[Tensor, "frame 2"]:
        """Computes the logits."""
        return self.layers(torch.cat([audio, visual], dim=1))


class SoundInFrames(NamedTuple):
    """A sound and a frame as vectors, where the sound was found, and whether both belong together.

    Attributes:
        audio: The sound.
        visual: The frame.
        where: Weights over the tokens of the frame.
        match: Logits of no and yes.
    """

    audio: Float[Tensor, "frame width"]
    visual: Float[Tensor, "frame width"]
    where: Float[Tensor, "frame token"]
    match: Float[Tensor, "frame 2"]


class SoundGrounding(nn.Module):
    """Projects sounds, grounds them in frames, and matches both: what is trained before any question is asked.

    Shapes: stream `(frame, token, width)`, audio `(frame, audio_channel)` → `SoundInFrames`.
    Source: ST-AVQA (CVPR 2022); DG-SCT's form differs in its widths alone.
    """

    def __init__(
        self,
        audio_channels: int,
        width: int = 512,
        *,
        grounding: Callable[[int], nn.Module] = CosineGrounding,
        hidden: Sequence[int] = (512, 256, 128),
    ):
        """Builds the parts.

        Args:
            audio_channels: Channels of a sound.
            width: Channels of a token, and of everything behind.
            grounding: Builds the grounding from the width.
            hidden: Units of the match head.
        """
        super().__init__()
        self.audio_channels = audio_channels
        self.audio = nn.Sequential(nn.Linear(audio_channels, width), nn.ReLU(), nn.Linear(width, width))
        self.grounding = grounding(width)
        self.match = MatchHead(width, hidden=hidden)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token width"], audio: Float[Tensor, "frame audio_channel"]
    ) -> SoundInFrames:
        """Grounds and matches sounds."""
        check_width(self, "audio", audio, self.audio_channels)
        heard = self.audio(audio)
        seen = self.grounding(stream, heard)
        return SoundInFrames(heard, seen.vector, seen.weights, self.match(heard, seen.vector))


def match_loss(right: Float[Tensor, "frame 2"], wrong: Float[Tensor, "other 2"]) -> Float[Tensor, ""]:
    """Computes the cross-entropy of matches: of frames of the own clip and of other clips, all weighted alike."""
    logits = torch.cat([right, wrong])
    target = torch.cat([torch.ones(len(right)), torch.zeros(len(wrong))]).to(logits.device, torch.int64)
    return F.cross_entropy(logits, target)
