"""PVT-v2 as sections, at any size: the backbone of AVSBench's own segmentation model.

Source: Wang et al., *PVT v2: Improved Baselines with Pyramid Vision Transformer*, Computational Visual Media 2022.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..alignment.resampled import Grid
from ..attention import attend
from ..injection import Encoder
from ..shapes import check_width, shaped
from ..site import Part, Site, grid_axes
from .halves import PreNorm
from .hierarchy import init_linear

EPSILON = 1e-6
"""Of the norms of blocks and stages; those of patches and reductions have torch's default."""


class OverlappingPatches(nn.Module):
    """Projects overlapping patches of an image to tokens and normalises them.

    Shapes: picture `(frame, channels, height, width)` → stream `(frame, token, channel)`.
    """

    def __init__(self, channels: int, width: int, *, kernel: int, stride: int):
        """Builds the embedding.

        Args:
            channels: Channels of the image.
            width: Channels of the stream.
            kernel: Side of a patch.
            stride: Distance of two patches.
        """
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width)

    @shaped
    def forward(self, picture: Float[Tensor, "frame plane height width"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream."""
        return self.norm(self.proj(picture).flatten(2).mT)


class OverlappingMerge(nn.Module):
    """Merges tokens by overlapping patches of 3×3: a quarter of the tokens, of another width.

    Shapes: `(frame, token, channel)` → `(frame, token / 4, wider)`.
    """

    def __init__(self, width: int, wider: int, grid: Grid):
        """Builds the section.

        Args:
            width: Channels of the stream that comes in.
            wider: Channels of the stream that goes out.
            grid: Rows and columns that come in.
        """
        super().__init__()
        self.grid = grid
        self.patches = OverlappingPatches(width, wider, kernel=3, stride=2)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame merged wider"]:
        """Computes the merged stream."""
        return self.patches(rearrange(stream, "f (r c) k -> f k r c", r=self.grid[0]))


class ReducedAttention(nn.Module):
    """Attends from every token to keys and values of a coarser grid.

    Shapes: stream `(frame, token, channel)` → the same.
    """

    def __init__(self, width: int, heads: int, grid: Grid, *, reduction: int):
        """Builds the block.

        Args:
            width: Channels of the stream.
            heads: Attention heads; must divide `width`.
            grid: Rows and columns of the tokens.
            reduction: Side of the patches that become one key; 1 keeps all tokens.

        Raises:
            ValueError: If `heads` does not divide `width`.
        """
        super().__init__()
        if width % heads:
            raise ValueError(f"ReducedAttention: heads={heads} must divide width={width}.")
        self.width, self.heads, self.grid, self.reduction = width, heads, grid, reduction
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        if reduction > 1:
            self.reduce = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the attended stream."""
        check_width(self, "stream", stream, self.width)
        source = stream
        if self.reduction > 1:
            coarse = self.reduce(rearrange(stream, "f (r c) k -> f k r c", r=self.grid[0]))
            source = self.norm(coarse.flatten(2).mT)
        query = rearrange(self.query(stream), "f n (h k) -> f n h k", h=self.heads)
        key, value = rearrange(self.key_value(source), "f n (two h k) -> two f n h k", two=2, h=self.heads)
        return self.out(attend(query, key, value).flatten(2))


class ConvFeedForward(nn.Module):
    """Feeds a stream forward with a depthwise convolution of 3×3 before GELU.

    Shapes: stream `(frame, token, channel)` → the same.
    """

    def __init__(self, width: int, ratio: float, grid: Grid):
        """Builds the layers.

        Args:
            width: Channels of the stream.
            ratio: Hidden units per channel.
            grid: Rows and columns of the tokens.
        """
        super().__init__()
        hidden = int(width * ratio)
        self.grid = grid
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream."""
        hidden = rearrange(self.widen(stream), "f (r c) k -> f k r c", r=self.grid[0])
        return self.narrow(F.gelu(self.depthwise(hidden).flatten(2).mT))


def pvt_v2(
    size: int | Grid = 224,
    *,
    widths: Sequence[int] = (64, 128, 320, 512),
    depths: Sequence[int] = (3, 6, 40, 3),
    heads: Sequence[int] = (1, 2, 5, 8),
    ratios: Sequence[float] = (4.0, 4.0, 4.0, 4.0),
    reductions: Sequence[int] = (8, 4, 2, 1),
    drop_path: float = 0.1,
) -> Encoder:
    """Builds a PVT-v2; the defaults are PVT-v2-B5, 81,443,008 parameters without its classifier.

    The norm at the end of a stage is a section of its own, and the head after the last: the last site of every stage
    before its merge is a level of the pyramid.

    Args:
        size: Side of a frame in pixels, or its height and width; multiples of 4 · 2^(stages - 1).
        widths: Channels of each stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        ratios: Hidden units of the feed-forward halves per channel, of each stage.
        reductions: Side of the patches that become one key, of each stage.
        drop_path: Drop-path rate of the last block; rates grow linearly from 0 at the first.

    Raises:
        ValueError: If the stages differ in number, or the size cannot be halved so often.
    """
    height, width = (size, size) if isinstance(size, int) else size
    stages = len(widths)
    if {len(depths), len(heads), len(ratios), len(reductions)} != {stages}:
        raise ValueError(f"pvt_v2: widths={tuple(widths)} and the other sequences must name the same stages.")
    if any(side < 1 or side % (4 << stages - 1) for side in (height, width)):
        raise ValueError(
            f"pvt_v2: size={size} must be a multiple of {4 << stages - 1} pixels, for its {stages} stages."
        )
    norm, total = partial(nn.LayerNorm, eps=EPSILON), max(sum(depths) - 1, 1)
    sections: dict[str, nn.Module] = {}
    sites = [Site("stem", widths[0], grid_axes(height // 4, width // 4), part="stem")]
    for stage, channels in enumerate(widths):
        grid = (height // (4 << stage), width // (4 << stage))
        first = sum(depths[:stage])
        rates = [drop_path * block / total for block in range(first, first + depths[stage])]
        halves = _halves(channels, heads[stage], grid, ratios[stage], reductions[stage], rates, norm)
        for at, half in enumerate(halves):
            part: Part = "mlp" if at % 2 else "attention"
            site = Site(f"stages.{stage}.{at // 2}.{part}", channels, grid_axes(*grid), stage, at // 2, part)
            sections[site.name] = half
            sites.append(site)
        if stage + 1 < stages:
            ends = {"norm": norm(channels), "merge": OverlappingMerge(channels, widths[stage + 1], grid)}
            coarser = grid_axes(grid[0] // 2, grid[1] // 2)
            sections |= {f"stages.{stage}.{name}": end for name, end in ends.items()}
            sites.append(Site(f"stages.{stage}.norm", channels, grid_axes(*grid), stage, None, "block"))
            sites.append(Site(f"stages.{stage}.merge", widths[stage + 1], coarser, stage, None, "merge"))
    stem = OverlappingPatches(3, widths[0], kernel=7, stride=4)
    return Encoder(stem, sections, norm(widths[-1]), sites).apply(init_linear).apply(_init_conv)


def _halves(
    width: int,
    heads: int,
    grid: Grid,
    ratio: float,
    reduction: int,
    rates: Sequence[float],
    norm: Callable[[int], nn.Module],
) -> list[nn.Module]:
    """Builds the halves of a stage's blocks, attention and feed-forward in turn."""
    found: list[nn.Module] = []
    for rate in rates:
        bodies = ReducedAttention(width, heads, grid, reduction=reduction), ConvFeedForward(width, ratio, grid)
        found += [PreNorm(body, width, drop_path=rate, norm=norm) for body in bodies]
    return found


def pvt_v2_b5(size: int = 224, *, drop_path: float = 0.1) -> Encoder:
    """Builds PVT-v2-B5, as AVSBench trains it.

    Args:
        size: Side of a frame in pixels, a multiple of 32.
        drop_path: Drop-path rate of the last block.
    """
    return pvt_v2(size, drop_path=drop_path)


def _init_conv(module: nn.Module) -> None:
    """Initialises a convolution as published: N(0, 2 / fan out), bias zero."""
    if isinstance(module, nn.Conv2d):
        rows, columns = module.kernel_size
        nn.init.normal_(module.weight, std=sqrt(2 * module.groups / (rows * columns * module.out_channels)))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
