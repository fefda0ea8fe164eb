"""Features of any layout as a stream, and back."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ...site import Axes, grid_axes
from .tensor_layout import LAYOUTS, TensorLayout, layout_of

LETTERS = {"BNC": (3, 2), "BCN": (3, 1), "BHWC": (4, 3), "BCHW": (4, 1)}
"""Number of dimensions and position of the channels: batch, rows (H), columns (W), tokens (N), channels."""


def as_tokens(
    features: Tensor,
    layout: str,
    *,
    grid: tuple[int, int] | None = None,
    prefix: int = 0,
    axes: Callable[[int, int], Axes] = grid_axes,
    name: str = "features",
) -> tuple[Tensor, TensorLayout]:
    """Converts features of a known layout to a stream `(frame, token, channel)`.

    `stream, layout = as_tokens(features, "BCHW")`, then `layout.features(stream)` is laid out as `features` was. The
    layout is a `Site`, so adapters can be built from it. Nothing is copied where strides allow.

    Args:
        features: Tensor of any of the layouts.
        layout: `"BCHW"`, `"BHWC"`, `"BNC"` or `"BCN"`.
        grid: Rows and columns of a sequence, row by row; a sequence without one has the axis `token` alone.
        prefix: Leading tokens of a sequence without a place on the grid (class token, registers). They stay in the
            stream.
        axes: From rows and columns to the axes of the site.
        name: Name of the site.

    Returns:
        The stream, and the layout that converts it back.

    Raises:
        ValueError: If the layout is unknown, the features have other dimensions, or the tokens do not fill the grid.
    """
    if layout not in LETTERS or features.ndim != LETTERS[layout][0]:
        raise ValueError(
            f"as_tokens: features has shape {tuple(features.shape)}, layout={layout!r}; layouts are "
            f"{', '.join(map(repr, LETTERS))}, one letter a dimension."
        )
    channels = LETTERS[layout][1]
    here = layout_of(name, tuple(features.shape), channels)
    if "row" in LAYOUTS[features.ndim, channels]:
        if grid is not None or prefix:
            raise ValueError(
                f"as_tokens: layout={layout!r} has rows and columns of its own; grid={grid} and prefix={prefix} are "
                "for sequences."
            )
        here = replace(here, axes=axes(*here.grid))
    elif grid is not None or prefix:
        here = placed(here, grid, prefix, axes)
    return here.stream(features), here


def placed(
    here: TensorLayout, grid: tuple[int, int] | None, prefix: int, axes: Callable[[int, int], Axes] = grid_axes
) -> TensorLayout:
    """Places the tokens of a sequence on a grid.

    Args:
        here: Layout of the sequence.
        grid: Rows and columns of the tokens after `prefix`; `None`: they lie in a row.
        prefix: Leading tokens without a place.
        axes: From rows and columns to the axes of the site.

    Raises:
        ValueError: If prefix and grid do not add up to the tokens.
    """
    tokens = here.tokens
    rows, columns = grid or (tokens - prefix, 1)
    if prefix < 0 or prefix + rows * columns != tokens or rows * columns < 1:
        raise ValueError(
            f"as_tokens: {here.name} has {tokens} tokens, but prefix={prefix} and grid={grid or (rows,)} make "
            f"{prefix + rows * columns}; say how many leading tokens have no place, and rows × columns of the others."
        )
    return replace(here, axes=axes(rows, columns) if grid else {"token": tuple(range(rows))}, prefix=prefix)
