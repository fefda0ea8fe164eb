"""Gates over the seconds of a clip for every level of a pyramid: sound gates the maps, and they gate the sound."""

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from ..named_draws import drawn
from .sequence_gate import SequenceGate


class LevelGates(nn.Module):
    r"""Scales every level by a gate of the sound, $m_l (1 + \gamma g^a_l)$, and the sound by the levels' mean gate.

    The visual gate of a level reads the means of its maps, second by second; the sound becomes
    $a (1 + \gamma \operatorname{mean}_l g^v_l)$.

    Shapes: maps `(frame, channel, row, column)` of each level with frames `(clip segment)`, audio `(clip, segment,
    audio_channel)` → the same. Source: the temporal blocks of DG-SCT's released segmentation models, without their
    decoders, which no output depends on.
    """

    def __init__(
        self,
        levels: int,
        channels: int = 256,
        audio_channels: int = 128,
        *,
        gamma: float = 0.05,
        width: int | None = None,
        dropout: float = 0.1,
    ):
        """Builds the gates; the defaults are the published numbers of S4.

        Args:
            levels: Levels of the pyramid.
            channels: Channels of the maps.
            audio_channels: Channels of the sound.
            gamma: Weight of a gate.
            width: Channels of the gates' encoders, a multiple of 4; `channels` by default. Their feed-forward parts
                have four times as many hidden units.
            dropout: Their dropout rate; the visual projection has twice this rate.
        """
        super().__init__()
        self.gamma, inner = gamma, width or channels
        self.visual_in = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Dropout(2 * dropout)) for _ in range(levels)
        )

        def gates(channels: int) -> nn.ModuleList:
            """Builds the gates of one modality, with LSTMs as wide in each direction as what they read."""
            build = partial(SequenceGate, channels, inner, hidden=channels, feedforward=4 * inner, dropout=dropout)
            return nn.ModuleList(build() for _ in range(levels))

        self.audio_gates = drawn("audio_gates", gates, audio_channels)
        self.visual_gates = drawn("visual_gates", gates, channels)

    def forward(self, maps: Sequence[Tensor], audio: Tensor) -> tuple[list[Tensor], Tensor]:
        """Scales maps and sound."""
        by_sound = [gate(audio) for gate in self.audio_gates]
        by_sight = [
            gate(project(map.mean((2, 3)).unflatten(0, audio.shape[:2])))
            for map, project, gate in zip(maps, self.visual_in, self.visual_gates, strict=True)
        ]
        gated = [
            map * (1 + self.gamma * cast(Tensor, gate)).flatten(0, 1)[..., None, None]
            for map, gate in zip(maps, by_sound, strict=True)
        ]
        return gated, audio * (1 + self.gamma * torch.stack(by_sight).mean(0))

    def extra_repr(self) -> str:
        """Shows the weight of a gate."""
        return f"gamma={self.gamma}"


class Ungated(nn.Module):
    """Leaves maps and sound as they are: takes the place of `LevelGates`.

    Shapes: as of `LevelGates`.
    """

    def __init__(self, levels: int, channels: int = 256, audio_channels: int = 128):
        """Builds the block, which has no parameters.

        Args:
            levels: Accepted as by `LevelGates`, and not used.
            channels: The same.
            audio_channels: The same.
        """
        super().__init__()

    def forward(self, maps: Sequence[Tensor], audio: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns maps and sound."""
        return list(maps), audio
