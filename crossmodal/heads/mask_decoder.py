"""Feature-pyramid decoder of masks: from maps of an encoder's stages, coarse to fine, to one logit a pixel."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import shaped


class ResidualConvUnit(nn.Module):
    r"""Computes $r + W_2\,\mathrm{relu}(W_1 r)$ with $r = \mathrm{relu}(x)$ and convolutions of 3×3.

    The residual is added to the ReLU of the input, not to the input: the published code works in place.

    Shapes: `(frame, channel, row, column)` → the same.
    """

    def __init__(self, channels: int):
        """Builds the unit.

        Args:
            channels: Channels of the map.
        """
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    @shaped
    def forward(self, map: Float[Tensor, "frame channel row column"]) -> Float[Tensor, "frame channel row column"]:
        """Computes the map."""
        positive = map.relu()
        return positive + self.second(self.first(positive).relu())


class FusionStage(nn.Module):
    """Adds a level of the pyramid to the coarser one below it, and doubles rows and columns.

    Shapes: below and skip `(frame, channel, row, column)` → `(frame, channel, 2 row, 2 column)`.
    """

    def __init__(self, channels: int):
        """Builds the stage.

        Args:
            channels: Channels of both maps.
        """
        super().__init__()
        self.skip_unit, self.unit = ResidualConvUnit(channels), ResidualConvUnit(channels)

    @shaped
    def forward(
        self, below: Float[Tensor, "frame channel row column"], skip: Float[Tensor, "frame channel row column"]
    ) -> Float[Tensor, "frame channel rows columns"]:
        """Computes the finer map."""
        return doubled(self.unit(below + self.skip_unit(skip)))


class MaskDecoder(nn.Module):
    """Decodes maps whose sides halve from level to level into logits of four times the finest one's sides.

    Shapes: maps `(frame, channel, row, column)`, finest first → `(frame, 4 row, 4 column)` of the finest.
    Source: the decoder of Zhou et al., *Audio-Visual Segmentation*, ECCV 2022, without the layers that it never calls.
    """

    def __init__(self, levels: int, channels: int = 256, *, widths: tuple[int, int] | None = None):
        """Builds the decoder.

        Args:
            levels: Maps of the pyramid.
            channels: Their channels.
            widths: Channels of the last two hidden maps; a half and an eighth of `channels` by default, as published.

        Raises:
            ValueError: If there is no level.
        """
        super().__init__()
        if levels < 1:
            raise ValueError(f"MaskDecoder: levels={levels} must be at least 1: it decodes one map or more.")
        widths = widths or (channels // 2, channels // 8)
        self.levels = levels
        self.top = ResidualConvUnit(channels)
        self.fusions = nn.ModuleList(FusionStage(channels) for _ in range(levels - 1))
        self.entry = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.readout = nn.Sequential(nn.Conv2d(*widths, 3, padding=1), nn.ReLU(), nn.Conv2d(widths[1], 1, 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Computes the logits.

        Raises:
            ValueError: If there are more or fewer maps than levels, or the sides do not halve.
        """
        self._check(maps)
        found = doubled(cast(Tensor, self.top(maps[-1])))
        for fusion, skip in zip(self.fusions, reversed(maps[:-1]), strict=True):
            found = fusion(found, skip)
        # the last step doubles otherwise than the others: as published
        wide = F.interpolate(self.entry(found), scale_factor=2, mode="bilinear", align_corners=False)
        return cast(Tensor, self.readout(wide))[:, 0]

    def _check(self, maps: Sequence[Tensor]) -> None:
        sides = [tuple(map.shape[2:]) for map in maps]
        halves = all(fine == (2 * coarse[0], 2 * coarse[1]) for fine, coarse in pairwise(sides))
        if len(maps) != self.levels or not halves:
            raise ValueError(
                f"MaskDecoder: maps have the sides {sides}, expected levels={self.levels} maps, finest first, each of "
                "twice the sides of the next: resize them."
            )


def doubled(map: Tensor) -> Tensor:
    """Doubles rows and columns of a map, bilinear with aligned corners."""
    return F.interpolate(map, scale_factor=2, mode="bilinear", align_corners=True)
