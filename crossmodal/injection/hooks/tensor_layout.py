"""Layouts: how a stream lies in the tensors of a model that was not written for this library."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from einops import rearrange
from torch import Tensor

from ...site import Axes, Site, grid_axes

Layout = Literal["frame token channel", "frame channel token", "frame row column channel", "frame channel row column"]
LAYOUTS: dict[tuple[int, int], Layout] = {
    (3, 2): "frame token channel",
    (3, 1): "frame channel token",
    (4, 3): "frame row column channel",
    (4, 1): "frame channel row column",
}
"""The layout by number of dimensions and position of the channels."""


@dataclass(frozen=True, repr=False)
class TensorLayout(Site):
    """A site of a third-party model, and how a stream lies in the tensor there.

    Where the tensor has rows and columns they are the axes, row-major, unless `sites` saw that tokens lie elsewhere; a
    plain sequence has one axis, `token`: what its tokens mean, and which are prefix, cannot be seen from outside
    (`dataclasses.replace(layout, axes=..., prefix=...)`).

    Attributes:
        layout: The dimensions of the tensor, in order.
        frames: Its first dimension in the probe. One that is not the example's own (windows, say) takes no guide.
        rows: Rows of the tensor, where it has rows and columns; those of the axes, unless said otherwise.
    """

    layout: Layout = "frame token channel"
    frames: int = 1
    rows: int | None = None

    def stream(self, tensor: Tensor | None) -> Tensor:
        """Returns `tensor` as a stream `(frame, token, channel)`; raises `ValueError` for another layout."""
        return rearrange(self._checked(tensor), f"{self.layout} -> {self._stream}")

    def features(self, stream: Tensor) -> Tensor:
        """Returns `stream` laid out as the tensor of the probe, rows and columns restored: undoes `stream`."""
        if stream.ndim != 3 or stream.shape[1:] != (self.tokens, self.width):
            raise ValueError(
                f"TensorLayout {self.name!r}: stream has shape {tuple(stream.shape)}, expected (frame, {self.tokens}, "
                f"{self.width}): tokens and channels as in the probe; probe again for another size."
            )
        rows = {"row": self.rows or self.grid[0]} if "row" in self.layout else {}
        return rearrange(stream, f"{self._stream} -> {self.layout}", **rows)

    def add(self, stream: Tensor, tensor: Tensor | None) -> Tensor:
        """Adds `stream` to `tensor`, laid out alike; raises `ValueError` where their shapes differ."""
        tensor = self._checked(tensor)
        sizes = dict(zip(self.layout.split(), tensor.shape, strict=True))
        tokens = sizes["row"] * sizes["column"] if "row" in sizes else sizes["token"]
        if stream.shape != (sizes["frame"], tokens, sizes["channel"]):
            raise ValueError(
                f"Injected: a residual of shape {tuple(stream.shape)} does not fit the tensor of shape "
                f"{tuple(tensor.shape)} ({self.layout}) at {self.name!r}; read at a point (reads=...) with the same "
                "frames, tokens and channels."
            )
        rows = {"row": sizes["row"]} if "row" in sizes else {}
        residual = rearrange(stream, f"{self._stream} -> {self.layout}", **rows)
        return tensor + residual.to(tensor.dtype)  # under autocast an adapter may answer in half precision

    @property
    def _stream(self) -> str:
        return "frame (row column) channel" if "row" in self.layout else "frame token channel"

    def _checked(self, tensor: Tensor | None) -> Tensor:
        dimensions = self.layout.split()
        fits = tensor is not None and tensor.ndim == len(dimensions)
        if tensor is None or not fits or tensor.shape[dimensions.index("channel")] != self.width:
            raise ValueError(
                f"Injected: the tensor at {self.name!r} has shape {None if tensor is None else tuple(tensor.shape)}, "
                f"but the probe saw ({self.layout}) with {self.width} channels; call sites() again with an example of "
                "this kind."
            )
        return tensor

    def __repr__(self) -> str:
        extent = "×".join(str(length) for length in self.extent.values())
        sizes = f"width={self.width}, tokens={extent}, frames={self.frames}"
        return f"TensorLayout({self.name!r}, {sizes}, layout={self.layout!r})"


def layout_of(name: str, shape: tuple[int, ...], channels: int) -> TensorLayout:
    """Returns the layout of a tensor of that shape whose dimension `channels` holds the channels."""
    grid = [size for position, size in enumerate(shape) if position not in (0, channels)]
    axes = _grid(*grid) if len(grid) == 2 else {"token": tuple(range(grid[0]))}
    rows = grid[0] if len(grid) == 2 else None
    return TensorLayout(name, shape[channels], axes, layout=LAYOUTS[len(shape), channels], frames=shape[0], rows=rows)


@cache
def _grid(rows: int, columns: int) -> Axes:
    """Returns the axes of a grid, one copy for the many modules of a stage."""
    return grid_axes(rows, columns)
