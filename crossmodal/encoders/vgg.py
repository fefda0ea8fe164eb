"""VGG-19 up to its last pooling, and VGGish, cut into stages: the extractors that the event baselines read."""

from collections.abc import Sequence
from itertools import pairwise

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..injection import Encoder
from ..shapes import check_width, shaped
from ..site import Axes, Site, grid_axes

VGG19_WIDTHS, VGG19_DEPTHS = (64, 128, 256, 512, 512), (2, 2, 4, 4, 4)
VGGISH_WIDTHS, VGGISH_DEPTHS = (64, 128, 256, 512), (1, 1, 2, 2)
VGGISH_GRID = (96, 64)  # time frames and mel bins of one second


def conv_layers(channels: int, width: int, depth: int) -> nn.Sequential:
    """Builds `depth` convolutions of 3×3, each with a ReLU, and a pooling of 2×2."""
    layers: list[nn.Module] = []
    for entering in (channels, *([width] * (depth - 1))):
        layers += [nn.Conv2d(entering, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class ConvStem(nn.Module):
    """Computes a stream from images by the first stage of convolutions: `(frame, channel, row, column)` → tokens."""

    def __init__(self, channels: int, width: int, depth: int, grid: tuple[int, int]):
        """Builds the stage.

        Args:
            channels: Channels of an image.
            width: Channels of the stream.
            depth: Convolutions.
            grid: Rows and columns of an image.
        """
        super().__init__()
        self.grid, self.body = grid, conv_layers(channels, width, depth)

    @shaped
    def forward(self, images: Float[Tensor, "frame channel row column"]) -> Float[Tensor, "frame token width"]:
        """Computes the stream."""
        if images.shape[2:] != self.grid:
            raise ValueError(
                f"ConvStem: images of {tuple(images.shape[2:])}, but this encoder was built for {self.grid}: resize "
                "them."
            )
        return rearrange(self.body(images), "frame width row column -> frame (row column) width")


class ConvStage(nn.Module):
    """Lays tokens out on their grid, applies a stage of convolutions, and returns tokens of half the grid."""

    def __init__(self, channels: int, width: int, depth: int, grid: tuple[int, int]):
        """Builds the stage.

        Args:
            channels: Channels of the stream.
            width: Channels of the result.
            depth: Convolutions.
            grid: Rows and columns of the tokens.
        """
        super().__init__()
        self.grid, self.body = grid, conv_layers(channels, width, depth)

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame pooled width"]:
        """Computes the next stream."""
        maps = rearrange(stream, "frame (row column) channel -> frame channel row column", row=self.grid[0])
        return rearrange(self.body(maps), "frame width row column -> frame (row column) width")


class FlatEmbedding(nn.Module):
    """Flattens all tokens, rows first and channels last, and embeds them by three layers, each with a ReLU."""

    def __init__(self, flat: int, hidden: int, width: int):
        """Builds the layers.

        Args:
            flat: Tokens times channels.
            hidden: Units of the two hidden layers.
            width: Channels of the embedding.
        """
        super().__init__()
        self.flat, sizes = flat, (flat, hidden, hidden, width)
        self.layers = nn.Sequential(*(layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())))

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame 1 width"]:
        """Computes the embedding, a single token."""
        flat = stream.flatten(1)
        check_width(self, "stream, flattened,", flat, self.flat)
        return self.layers(flat)[:, None]


def vgg19(size: int = 224, *, widths: Sequence[int] = VGG19_WIDTHS) -> Encoder:
    """Builds VGG-19 up to `block5_pool`, for RGB frames: 49 tokens of width 512 at the published size.

    It expects frames as Keras' “caffe” mode scales them, in RGB: values in 0…255 minus (123.68, 116.779, 103.939). The
    importer turns the first kernel round, which was trained on BGR.

    Args:
        size: Side of a frame in pixels; a multiple of 32.
        widths: Channels of the five stages.

    Raises:
        ValueError: If `size` is no multiple of 32.
    """
    if size % 32:
        raise ValueError(f"vgg19: size={size} must be a multiple of 32, for its five poolings.")
    sites, sections = [_site("stem", widths[0], (size // 2, size // 2), 0)], {}
    for stage in range(1, 5):
        side, name = size // 2**stage, f"stages.{stage}"
        sections[name] = ConvStage(widths[stage - 1], widths[stage], VGG19_DEPTHS[stage], (side, side))
        sites.append(_site(name, widths[stage], (side // 2, side // 2), stage))
    stem = ConvStem(3, widths[0], VGG19_DEPTHS[0], (size, size))
    return Encoder(stem, sections, nn.Identity(), sites)


def vggish(*, widths: Sequence[int] = VGGISH_WIDTHS, hidden: int = 4096, width: int = 128) -> Encoder:
    """Builds VGGish up to the ReLU after its last layer: log-mels `(frame, 1, 96, 64)` → one token of width 128.

    The published features of AVE and LLP are these, without PCA. Google's newer code leaves out the last ReLU.

    Args:
        widths: Channels of the four stages.
        hidden: Units of the hidden layers of the embedding.
        width: Channels of the embedding.
    """
    rows, columns = VGGISH_GRID
    sites = [_site("stem", widths[0], (rows // 2, columns // 2), 0, sound=True)]
    sections: dict[str, nn.Module] = {}
    for stage in range(1, 4):
        grid, name = (rows >> stage, columns >> stage), f"stages.{stage}"
        sections[name] = ConvStage(widths[stage - 1], widths[stage], VGGISH_DEPTHS[stage], grid)
        sites.append(_site(name, widths[stage], (grid[0] // 2, grid[1] // 2), stage, sound=True))
    sections["embedding"] = FlatEmbedding(sites[-1].tokens * widths[-1], hidden, width)
    sites.append(Site("embedding", width, {"time": (0,), "frequency": (0,)}, stage=4))
    stem = ConvStem(1, widths[0], VGGISH_DEPTHS[0], VGGISH_GRID)
    return Encoder(stem, sections, nn.Identity(), sites)


def _site(name: str, width: int, grid: tuple[int, int], stage: int, *, sound: bool = False) -> Site:
    """Describes the stream after a stage."""
    axes: Axes = grid_axes(*grid)
    if sound:
        axes = {"time": axes["row"], "frequency": axes["column"]}
    return Site(
        name, width, axes, stage=stage, block=None if name == "stem" else 0, part="stem" if name == "stem" else "block"
    )
