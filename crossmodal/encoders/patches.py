"""Patch embedding, from an image to a stream, and patch merging, which halves rows and columns of a stream."""

from collections import OrderedDict

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class PatchEmbedding(nn.Module):
    """Projects each square patch of an image to a token and normalises it.

    Shapes: picture `(frame, channels, height, width)` → stream `(frame, token, channel)`, tokens row-major.
    """

    def __init__(self, channels: int, width: int, size: tuple[int, int], *, patch: int = 4):
        """Builds the embedding.

        Args:
            channels: Channels of the image.
            width: Channels of the stream.
            size: Height and width of the image.
            patch: Side of a patch; must divide both.

        Raises:
            ValueError: If `patch` does not divide the size.
        """
        super().__init__()
        if patch < 1 or any(side < 1 or side % patch for side in size):
            raise ValueError(f"PatchEmbedding: patch={patch} must divide both sides of size={size}.")
        self.channels, self.size, self.patch = channels, size, patch
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)
        self.norm = nn.LayerNorm(width)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    @shaped
    def forward(self, picture: Float[Tensor, "frame plane height width"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream."""
        expected = (self.channels, *self.size)
        if picture.shape[1:] != expected:
            raise ValueError(
                f"PatchEmbedding: picture is {tuple(picture.shape[1:])}, but this encoder was built for {expected} "
                f"(channels, height, width): build it for that size, or resize the picture."
            )
        return self.norm(self.proj(picture).flatten(2).transpose(1, 2))


class PatchMerging(nn.Module):
    """Merges 2×2 neighbours into one token: a quarter of the tokens, of twice the width.

    Shapes: `(frame, token, channel)` → `(frame, token / 4, 2 · channel)`.
    Source: Liu et al., *Swin Transformer*, ICCV 2021.
    """

    def __init__(self, width: int, grid: tuple[int, int], *, norm_first: bool):
        """Builds the section.

        Args:
            width: Channels of the stream that comes in.
            grid: Its rows and columns, both even.
            norm_first: Normalise before the reduction (Swin v1) or after it (v2).

        Raises:
            ValueError: If a side of the grid is odd.
        """
        super().__init__()
        if any(side % 2 for side in grid):
            raise ValueError(f"PatchMerging: both sides of grid={grid} must be even: take another size of input.")
        self.width, self.grid = width, grid
        reduction = ("reduction", nn.Linear(4 * width, 2 * width, bias=False))
        norm = ("norm", nn.LayerNorm((4 if norm_first else 2) * width))
        self.merging = nn.Sequential(OrderedDict([norm, reduction] if norm_first else [reduction, norm]))

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame merged wider"]:
        """Computes the merged stream."""
        check_width(self, "stream", stream, self.width)
        rows, columns = self.grid
        if stream.shape[1] != rows * columns:
            raise ValueError(
                f"PatchMerging: stream has {stream.shape[1]} tokens, but this section was built for a grid of {rows} × "
                f"{columns} = {rows * columns}: pass the stream of the section before it."
            )
        # One rearrangement: four strided slices would make autograd add up four streams of mostly zeros.
        pattern = "frame (row down column right) channel -> frame (row column) (right down channel)"
        return self.merging(rearrange(stream, pattern, down=2, right=2, column=columns // 2))

    def extra_repr(self) -> str:
        """Shows the sizes."""
        return f"width={self.width}, grid={self.grid}"
