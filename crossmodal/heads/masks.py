"""Head that segments what sounds: pyramid, gates over time, attention to the sound, decoder; and its losses."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..named_draws import drawn
from ..shapes import shaped
from ..site import Site
from .level_gates import LevelGates
from .mask_decoder import MaskDecoder
from .mask_pyramid import LevelFactory, ProjectedLevel, pyramid_sides
from .tpavi import TPAVI


class Segmented(NamedTuple):
    """Logits of the masks, and what the matching loss compares.

    Attributes:
        logits: Does the pixel belong to an object that sounds?
        maps: Level → `(frame, channel, row, column)`, as the decoder reads them: at least zero.
        heard: Level → projected sound `(clip, segment, channel)`.
    """

    logits: Float[Tensor, "clip segment height width"]
    maps: tuple[Tensor, ...]
    heard: tuple[Tensor, ...]


class DecodedMasks(NamedTuple):
    """Probability in [0, 1] that a pixel belongs to an object that sounds; a mask is what lies above one half."""

    probability: Float[Tensor, "clip segment height width"]


class MaskHead(nn.Module):
    """Decodes the masks of sounding objects from the stages of a visual encoder and one audio vector a second.

    Every level of the pyramid and the sound are gated over time, each level attends to the sound of all seconds, and a
    feature-pyramid decoder reads the levels from coarse to fine.

    Shapes: streams `(frame, token, channel)`, one per site, and audio `(clip, segment, audio_channel)` → `Segmented`.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        audio_width: int,
        *,
        size: int = 224,
        channels: int | None = None,
        audio_channels: int | None = None,
        level: LevelFactory = ProjectedLevel,
        gates: Callable[[int, int, int], nn.Module] = LevelGates,
        interaction: Callable[[int, int], nn.Module] = TPAVI,
        project_audio: Callable[[int, int], nn.Module] = nn.Linear,
        decoder: Callable[[int, int], nn.Module] = MaskDecoder,
    ):
        """Builds the head; the defaults are the published numbers, on encoders of published size.

        Args:
            sites: Where the streams are tapped, finest grid first.
            audio_width: Width of the audio vectors.
            size: Height and width of the masks.
            channels: Channels of every level; by default half the coarsest stream's width, at most 256.
            audio_channels: Channels of the sound behind its projection; by default those of a level, at most 128.
            level: Builds a level of the pyramid from its site, side and channels.
            gates: Builds the gates over time from levels, channels and audio channels.
            interaction: Builds a level's attention to the sound from channels and audio channels.
            project_audio: Builds the projection of the sound.
            decoder: Builds the decoder from levels and channels.

        Raises:
            ValueError: If `size` does not fit the number of levels.
        """
        super().__init__()
        sides = pyramid_sides(size, len(sites))
        channels = channels or min(256, sites[-1].width // 2)
        audio_channels = audio_channels or min(128, channels)
        self.project_audio = drawn("project_audio", project_audio, audio_width, audio_channels)
        self.levels = nn.ModuleList(
            drawn(f"level {at}", level, site, side, channels)
            for at, (site, side) in enumerate(zip(sites, sides, strict=True))
        )
        self.gates = drawn("gates", gates, len(sites), channels, audio_channels)
        self.interactions = nn.ModuleList(
            drawn(f"interaction {at}", interaction, channels, audio_channels) for at in range(len(sites))
        )
        self.decoder = drawn("decoder", decoder, len(sites), channels)

    def forward(self, streams: Sequence[Tensor], audio: Tensor) -> Segmented:
        """Computes logits, and the maps and sounds that they come from."""
        sound = self.project_audio(audio)
        maps = [level(stream) for level, stream in zip(self.levels, streams, strict=True)]
        maps, sound = self.gates(maps, sound)
        heard = []
        for at, interaction in enumerate(self.interactions):
            tokens, projected = interaction(rearrange(maps[at], "f c h w -> f (h w) c"), sound)
            # the decoder reads no more than the positive part, and so does the published matching loss
            maps[at] = rearrange(tokens.relu(), "f (h w) c -> f c h w", h=maps[at].shape[2])
            heard.append(projected)
        logits = cast(Tensor, self.decoder(maps)).unflatten(0, audio.shape[:2])
        return Segmented(logits, tuple(maps), tuple(heard))


@shaped
def mask_cross_entropy(
    logits: Float[Tensor, "clip segment height width"],
    masks: Bool[Tensor, "clip segment height width"],
    supervised: Bool[Tensor, "clip segment"],
) -> Float[Tensor, ""]:
    """Computes the binary cross-entropy of all pixels of the frames whose masks are known.

    Args:
        logits: Logits of the masks.
        masks: True masks; what stands in frames that are not supervised is not read.
        supervised: Frames whose masks are known; without any, the loss is zero.
    """
    pixels = F.binary_cross_entropy_with_logits(logits, masks.to(logits.dtype), reduction="none")
    # weighed, not picked: what runs does not depend on values, so that it can be counted and compiled
    known = supervised.to(logits.dtype)
    return (pixels.mean((2, 3)) * known).sum() / known.sum().clamp(min=1)


def matching_divergence(outputs: Segmented) -> Tensor:
    r"""Computes the audio-visual matching loss: the divergence of what is masked from what is heard.

    Of each level, the mean over positions of map times predicted mask and the projected sound become distributions over
    channels by a softmax; the Kullback-Leibler divergence of both is summed over frames and averaged over levels. It
    grows with the batch, as published; nothing is normalised.

    Args:
        outputs: Outputs of the head.
    """
    logits = outputs.logits.flatten(0, 1)[:, None]
    terms = []
    for map, heard in zip(outputs.maps, outputs.heard, strict=True):
        # pooled before the sigmoid: as published
        mask = F.adaptive_avg_pool2d(logits, (map.shape[2], map.shape[3])).sigmoid()
        seen = (map * mask).mean((2, 3)).log_softmax(1)
        terms.append(F.kl_div(seen, heard.flatten(0, 1).softmax(1), reduction="sum"))
    return torch.stack(terms).mean()


def at_size(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes `(clip, segment, height, width)` to the size of other masks, bilinear; as it is where sizes agree."""
    if maps.shape[2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
