"""Where a picture becomes a stream, and where a stream is halved: patch embedding and patch merging."""

from collections import OrderedDict

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


class PatchEmbedding(nn.Module):
    """Square patches of a picture, each projected to a token and normalised.

    - `channels`: of the picture.
    - `width`: channels of the stream.
    - `size`: height and width of the picture; `patch` divides both.
    - `patch`: side of a patch.

    Shapes: picture `(frame, channels, height, width)` → stream `(frame, token, channel)`, tokens row-major.
    """

    def __init__(self, channels: int, width: int, size: tuple[int, int], *, patch: int = 4):
        super().__init__()
        if any(side % patch for side in size):
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
        """The stream."""
        expected = (self.channels, *self.size)
        if picture.shape[1:] != expected:
            raise ValueError(
                f"PatchEmbedding: picture is {tuple(picture.shape[1:])}, but this encoder was built for {expected} "
                f"(channels, height, width): build it for that size, or resize the picture."
            )
        return self.norm(self.proj(picture).flatten(2).transpose(1, 2))


class Merge(nn.Module):
    """Joins 2×2 neighbours into one token: a quarter of the tokens, of twice the width.

    - `width`: channels of the stream that comes in.
    - `grid`: its rows and columns, both even.
    - `norm_first`: normalise the four before they are reduced (Swin v1), or what they are reduced to (v2).

    Source: Liu et al., *Swin Transformer*, ICCV 2021. One copy each way: of four strided slices autograd would add up
    four streams, of zeros for the most part.
    """

    def __init__(self, width: int, grid: tuple[int, int], *, norm_first: bool):
        super().__init__()
        if any(side % 2 for side in grid):
            raise ValueError(f"Merge: both sides of grid={grid} must be even: take another size of input.")
        self.width, self.grid = width, grid
        reduction = ("reduction", nn.Linear(4 * width, 2 * width, bias=False))
        norm = ("norm", nn.LayerNorm((4 if norm_first else 2) * width))
        self.merging = nn.Sequential(OrderedDict([norm, reduction] if norm_first else [reduction, norm]))

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame merged wider"]:
        """The merged stream."""
        check_width(self, "stream", stream, self.width)
        rows, columns = self.grid
        if stream.shape[1] != rows * columns:
            raise ValueError(
                f"Merge: stream has {stream.shape[1]} tokens, but this section was built for a grid of {rows} × "
                f"{columns} = {rows * columns}: pass the stream of the section before it."
            )
        pattern = "frame (row down column right) channel -> frame (row column) (right down channel)"
        return self.merging(rearrange(stream, pattern, down=2, right=2, column=columns // 2))

    def extra_repr(self) -> str:
        return f"width={self.width}, grid={self.grid}"
