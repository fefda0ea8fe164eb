"""Resampled alignment: the guide's grid, interpolated to the stream's; only the projection is learned."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..lazy_constant import LazyConstant
from ..plain import is_affine
from ..shapes import check_width, shaped
from ..site import Site
from .alignment import Formed

Grid = tuple[int, int]


class ResampledAlignment(nn.Module):
    r"""Projects the guide's channels and resamples its token grid: $G = S V F^\top + 1 f^\top$.

    $S$ is separable interpolation along the two axes of the grid; its rows sum to one. It has no weights, so any
    encoder can be a guide. While the projection is plain, cue and attention go through its weight without forming $G$.
    Leading tokens of the guide without a place (class token, registers) are ignored; the stream's own leading tokens
    are aligned with the mean of the grid.

    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: the bicubic resize of DG-SCT's AVS-S4 (linear layer first; the two commute).
    """

    def __init__(
        self,
        guide_grid: Grid,
        guide_channels: int,
        grid: Grid,
        channels: int,
        *,
        guide_prefix: int = 0,
        prefix: int = 0,
        mode: str = "bicubic",
    ):
        """Builds the block.

        Args:
            guide_grid: Rows and columns of the guide's tokens, in memory order.
            guide_channels: Width of the guide.
            grid: Rows and columns of the stream's tokens.
            channels: Width of the stream.
            guide_prefix: Leading tokens of the guide that have no place on its grid.
            prefix: The same of the stream.
            mode: `"bicubic"` (published) or `"bilinear"`, as in `torch.nn.functional.interpolate`.

        Raises:
            ValueError: If `mode` is another.
        """
        super().__init__()
        if mode not in KERNELS:
            raise ValueError(f"ResampledAlignment: mode={mode!r} must be 'bicubic' or 'bilinear'.")
        self.guide_grid, self.grid = guide_grid, grid
        self.guide_prefix, self.prefix, self.mode = guide_prefix, prefix, mode
        self.rows, self.columns = (
            LazyConstant(resize_matrix, old, new, mode) for old, new in zip(guide_grid, grid, strict=True)
        )
        self.guide_channels, self.channels = guide_channels, channels
        self.project = nn.Linear(guide_channels, channels)

    def is_plain(self) -> bool:
        """Returns whether `pooled` and `attend` may go through the weight of the projection."""
        return type(self).forward is ResampledAlignment.forward and is_affine(self.project, nn.Linear)

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the aligned guide."""
        placed = self._placed(guide)
        rows, columns = self._axes(guide)
        resampled = torch.einsum(
            "ri,sj,fijc->frsc", rows, columns, rearrange(placed, "f (i j) c -> f i j c", i=self.guide_grid[0])
        ).flatten(1, 2)
        leading = resampled.mean(1, keepdim=True).expand(-1, self.prefix, -1)
        return self.project(torch.cat([leading, resampled], dim=1))

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """Computes the cue, `forward(guide).mean(1)`, as one weighted mean of the guide's tokens."""
        if not self.is_plain():
            return Formed(self).pooled(guide)
        rows, columns = self._axes(guide)
        # interpolation is separable, and so is the mean over the grid that it makes
        weights = torch.outer(rows.mean(0), columns.mean(0)).flatten()
        return self.project(torch.einsum("g,fgc->fc", weights, self._placed(guide)))

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """Computes `softmax(latents · Gᵀ) · G`: resamples scores instead of the guide, then their softmax back."""
        check_width(self, "latents", latents, self.channels)
        if not self.is_plain():
            return Formed(self).attend(latents, guide)
        placed, (rows, columns) = self._placed(guide), self._axes(guide)
        scores = rearrange((latents @ self.project.weight) @ placed.mT, "f l (i j) -> f l i j", i=self.guide_grid[0])
        scores = torch.einsum("ri,sj,flij->flrs", rows, columns, scores).flatten(2)
        leading = scores.mean(2, keepdim=True).expand(-1, -1, self.prefix)
        weights = torch.cat([leading, scores], dim=2).softmax(-1)
        # a leading token is the mean of the grid, so its weight is shared out among the cells
        shared = weights[..., : self.prefix].sum(-1, keepdim=True) / scores.shape[2]
        weights = rearrange(weights[..., self.prefix :] + shared, "f l (r s) -> f l r s", r=self.grid[0])
        return self.project(torch.einsum("ri,sj,flrs->flij", rows, columns, weights).flatten(2) @ placed)

    def _placed(self, guide: Tensor) -> Tensor:
        check_width(self, "guide", guide, self.guide_channels)
        expected = self.guide_prefix + self.guide_grid[0] * self.guide_grid[1]
        if guide.shape[1] != expected:
            raise ValueError(
                f"ResampledAlignment: guide has {guide.shape[1]} tokens, but guide_grid={self.guide_grid} and "
                f"guide_prefix={self.guide_prefix} make {expected}: build it from the site of this guide."
            )
        return guide[:, self.guide_prefix :]

    def _axes(self, guide: Tensor) -> tuple[Tensor, Tensor]:
        return self.rows.on(guide.device).to(guide.dtype), self.columns.on(guide.device).to(guide.dtype)

    def extra_repr(self) -> str:
        """Shows both grids and the mode."""
        return f"{self.guide_grid} → {self.grid}, mode={self.mode}"


def resize_matrix(old: int, new: int, mode: str, *, device: torch.device | None = None) -> Tensor:
    """Computes the `(new, old)` matrix of 1-d interpolation (half-pixel centres, not antialiased); rows sum to one.

    The same numbers as `torch.nn.functional.interpolate`, in float64; places beyond the border repeat it.

    Args:
        old: Places along the axis before.
        new: Places after.
        mode: `"bicubic"` or `"bilinear"`.
        device: Where the matrix is made.
    """
    centre = (torch.arange(new, dtype=torch.float64, device=device)[:, None] + 0.5) * (old / new) - 0.5
    place = centre.floor() + torch.arange(-1, 3, device=device)
    weights = KERNELS[mode]((centre - place).abs())
    empty = torch.zeros(new, old, dtype=torch.float64, device=device)
    # added up, for several neighbours beyond a border fall on its one place
    return empty.scatter_add(1, place.clamp(0, old - 1).long(), weights)


def bilinear(distance: Tensor) -> Tensor:
    """Returns the weight of a neighbour at a distance: a triangle."""
    return (1 - distance).clamp(min=0)


def bicubic(distance: Tensor, sharpness: float = -0.75) -> Tensor:
    """Returns the weight of a neighbour at a distance: Keys' cubic convolution with torch's constant."""
    near = ((sharpness + 2) * distance - (sharpness + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * sharpness - 4 * sharpness
    return torch.where(distance <= 1, near, far).where(distance < 2, 0)


KERNELS = {"bilinear": bilinear, "bicubic": bicubic}


def resampled_alignment(stream: Site, guide: Site, *, mode: str = "bicubic") -> ResampledAlignment:
    """Builds a `ResampledAlignment` from the guide's grid in memory to the stream's."""
    return ResampledAlignment(
        guide.grid, guide.width, stream.grid, stream.width, guide_prefix=guide.prefix, prefix=stream.prefix, mode=mode
    )
