"""Sites: the points of an encoder where a residual may be added, known before any forward."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

Part = Literal["stem", "attention", "mlp", "block", "merge"]
Axes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Site:
    """Describes a point of an encoder: the stream there, and the meaning of each of its tokens.

    Attributes:
        name: Name of the section that ends here, or `"stem"`; unique in its encoder.
        width: Channels of the stream.
        axes: Coordinate of every token after the prefix on each named axis, in token order: `{"row", "column"}` for
            images, `{"frequency", "time"}` for audio.
        stage: Stage of the section, counted from 0.
        block: Block of the section in its stage, counted from 0; `None` for a stem or a merge.
        part: Part of a block that ends here; pairings read it.
        prefix: Number of leading tokens (class token, registers) that are read and written but have no coordinate.
    """

    name: str
    width: int
    axes: Axes
    stage: int = 0
    block: int | None = None
    part: Part = "block"
    prefix: int = 0

    def __post_init__(self) -> None:
        lengths = {axis: len(coordinates) for axis, coordinates in self.axes.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ValueError(
                f"Site {self.name!r}: every axis needs one coordinate per token, at least one; got {lengths}."
            )
        if self.width < 1 or self.prefix < 0:
            raise ValueError(
                f"Site {self.name!r}: width={self.width} must be at least 1 and prefix={self.prefix} at least 0."
            )

    @property
    def tokens(self) -> int:
        """Tokens of the stream here, prefix included."""
        return self.prefix + len(next(iter(self.axes.values())))

    @property
    def extent(self) -> dict[str, int]:
        """Number of different coordinates on each axis, as in `{"row": 12, "column": 12}`."""
        return {axis: max(coordinates) + 1 for axis, coordinates in self.axes.items()}

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens as they lie in memory: a row is the leading run of one coordinate.

        A folded spectrogram has more rows than bands; a sequence is one column.
        """
        # The first axis is constant along a row in memory, be it a row of an image or a band.
        leading, placed = next(iter(self.axes.values())), self.tokens - self.prefix
        columns = next((at for at, coordinate in enumerate(leading) if coordinate != leading[0]), placed)
        if placed % columns:
            raise ValueError(f"Site {self.name!r}: {placed} tokens do not fill rows of {columns}; it has no grid.")
        return placed // columns, columns


def grid_axes(rows: int, columns: int) -> Axes:
    """Builds the axes of a row-major token grid of an image.

    Raises:
        ValueError: If a side is less than 1.
    """
    _check_grid("grid_axes", rows, columns)
    cells = tuple(product(range(rows), range(columns)))
    return {"row": tuple(row for row, _ in cells), "column": tuple(column for _, column in cells)}


def folded_axes(rows: int, columns: int, *, chunks: int) -> Axes:
    """Builds the axes of a row-major token grid of a spectrogram that was folded.

    Its time was cut in chunks that are stacked along frequency, as in HTS-AT. A row of the grid is not a band:
    `band = row % (rows / chunks)`, and the chunk shifts time.

    Args:
        rows: Rows of the grid.
        columns: Columns of the grid.
        chunks: Number of chunks; must divide `rows`.

    Raises:
        ValueError: If `chunks` does not divide `rows`, or a side is less than 1.
    """
    _check_grid("folded_axes", rows, columns)
    if chunks < 1 or rows % chunks:
        raise ValueError(f"folded_axes: chunks={chunks} must divide rows={rows}.")
    bands = rows // chunks
    cells = tuple(product(range(rows), range(columns)))
    return {
        "frequency": tuple(row % bands for row, _ in cells),
        "time": tuple(row // bands * columns + column for row, column in cells),
    }


def _check_grid(who: str, rows: int, columns: int) -> None:
    if min(rows, columns) < 1:
        raise ValueError(f"{who}: rows={rows} and columns={columns} must be at least 1: a grid holds a token.")


def vector_axes() -> Axes:
    """Builds the axes of a guide that is one vector a frame: a single token."""
    return {"token": (0,)}
