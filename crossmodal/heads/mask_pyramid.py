"""Levels of a feature pyramid: the last stream of every stage of an encoder as a map of the decoder's size."""

from collections.abc import Callable, Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped
from ..site import Site

LevelFactory = Callable[[Site, int, int], nn.Module]
"""`factory(site, side, channels)`: builds a module from the stream there to `(frame, channels, side, side)`."""

DILATIONS = (3, 6, 12, 18)
STAGE_WIDTHS = (64, 128, 320, 512)
"""Widths of the four stages of PVT-v2, which the released code projects other encoders to."""


def pyramid_sites(sites: Sequence[Site]) -> tuple[Site, ...]:
    """Returns the last site of every stage before its merge, from the finest grid to the coarsest.

    They are what a decoder taps: `taps=[f"visual.{site.name}" for site in pyramid_sites(sites)]`.

    Args:
        sites: Sites of an encoder.
    """
    last = {site.stage: site for site in sites if site.part not in ("merge", "stem")}
    return tuple(last[stage] for stage in sorted(last))


def pyramid_sides(size: int, levels: int) -> tuple[int, ...]:
    """Returns the sides of the decoder's maps for masks of `size` pixels: a quarter of it, an eighth, and so on.

    Raises:
        ValueError: If `size` cannot be halved so often.
    """
    if size < 1 or size % (4 << levels - 1):
        raise ValueError(
            f"pyramid_sides: size={size} of the masks must be a multiple of {4 << levels - 1}: {levels} levels halve a "
            "quarter of it."
        )
    return tuple(size // (4 << level) for level in range(levels))


class ProjectedLevel(nn.Module):
    """Projects a stream and resizes its grid, bicubic: a level of the pyramid of DG-SCT.

    Shapes: stream `(frame, token, channel)` → map `(frame, channels, side, side)`. Leading tokens without a place are
    left out. Source: DG-SCT's released segmentation model, where 48² tokens become a map of 56².
    """

    def __init__(self, site: Site, side: int, channels: int):
        """Builds the level.

        Args:
            site: Where the stream is tapped.
            side: Rows and columns of the map.
            channels: Channels of the map.
        """
        super().__init__()
        self.grid, self.prefix, self.side = site.grid, site.prefix, side
        self.project = nn.Linear(site.width, channels)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame channels row column"]:
        """Computes the map."""
        return resized_map(as_map(self.project(stream[:, self.prefix :]), self.grid), self.side)

    def extra_repr(self) -> str:
        """Shows both grids."""
        return f"{self.grid} → {self.side}"


class DilatedLevel(nn.Module):
    """Adds up four convolutions of 3×3 with other dilations: a level of the pyramid of AVSBench.

    Shapes: stream `(frame, token, channel)` → map `(frame, channels, side, side)`.
    Source: Zhou et al., *Audio-Visual Segmentation*, ECCV 2022. In the code the pooling of DeepLab is a plain sum.
    """

    def __init__(self, site: Site, side: int, channels: int, *, project: int | None = None):
        """Builds the level.

        Args:
            site: Where the stream is tapped.
            side: Rows and columns of the map.
            channels: Channels of the map.
            project: Channels to which the stream is projected first; `None` leaves them as they are.
        """
        super().__init__()
        self.grid, self.prefix, self.side = site.grid, site.prefix, side
        width = project or site.width
        self.project: nn.Module = nn.Linear(site.width, width) if project else nn.Identity()
        self.width, self.channels = site.width, channels
        convs = [nn.Conv2d(width, channels, 3, padding=rate, dilation=rate) for rate in DILATIONS]
        for conv in convs:
            nn.init.normal_(conv.weight, std=0.01)
        self.convs = nn.ModuleList(convs)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame channels row column"]:
        """Computes the map."""
        check_width(self, "stream", stream, self.width)
        map = resized_map(as_map(self.project(stream[:, self.prefix :]), self.grid), self.side)
        return torch.stack([conv(map) for conv in self.convs]).sum(0)

    def extra_repr(self) -> str:
        """Shows both grids."""
        return f"{self.grid} → {self.side}"


def projected_dilated_level(site: Site, side: int, channels: int) -> DilatedLevel:
    """Builds a `DilatedLevel` that projects to the width of PVT-v2's stage first, as LAVisH does.

    Args:
        site: Where the stream is tapped.
        side: Rows and columns of the map.
        channels: Channels of the map.
    """
    return DilatedLevel(site, side, channels, project=STAGE_WIDTHS[min(site.stage, len(STAGE_WIDTHS) - 1)])


def as_map(stream: Tensor, grid: tuple[int, int]) -> Tensor:
    """Returns tokens in row-major order as a map `(frame, channel, row, column)`."""
    return rearrange(stream, "frame (row column) channel -> frame channel row column", row=grid[0])


def resized_map(map: Tensor, side: int) -> Tensor:
    """Resizes a map to `side` rows and columns, bicubic; one of that size is left as it is."""
    if map.shape[2:] == (side, side):
        return map
    return F.interpolate(map, (side, side), mode="bicubic", align_corners=False)
