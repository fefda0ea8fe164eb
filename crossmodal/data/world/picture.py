"""Frames of the built-in world: coloured, textured shapes on a grey ground."""

import functools

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from .scene import Objects

SIZE = 64
PERIODS = (4, 5, 6)
TILE = 2 * SIZE
PALETTE = np.array(
    [(1, 0, 0), (0, 0.8, 0), (0.1, 0.2, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 0.5, 0), (1, 1, 1)], np.float32
)


def paint(
    rng: np.random.Generator, objects: Objects, clutter: float
) -> tuple[UInt8[np.ndarray, "segment 3 height width"], Bool[np.ndarray, "segment object height width"]]:
    """Paints the frames of a clip.

    Args:
        rng: Source of shades, offsets and noise.
        objects: What to paint.
        clutter: In [0, 1]: how blotched the ground is, how noisy the picture.

    Returns:
        The frames, and for each object the pixels on which it is seen.
    """
    segments, count = objects.radius.shape
    canvas = np.empty((segments, 3, SIZE, SIZE), np.float32)
    canvas[:] = _ground(rng, clutter)
    masks = np.zeros((segments, count, SIZE, SIZE), bool)
    pigment = PALETTE[objects.colour] * rng.uniform(0.75, 1, (count, 1)) + rng.uniform(-0.08, 0.08, (count, 3))
    period, offset = np.asarray(rng.integers(0, len(PERIODS), count)), rng.integers(0, SIZE, (count, 2))
    for index in range(count):
        box, rows, columns = _box(objects, index)
        cover = np.clip(
            objects.radius[:, index, None, None] - _distance(objects.shape[index], rows, columns) + 0.5, 0, 1
        )
        pattern = _pattern(
            objects.texture[:, index], period[index], rows + offset[index, 0], columns + offset[index, 1]
        )
        # 0.3 keeps the colour readable where the pattern is dark
        canvas[:, :, *box] *= 1 - cover[:, None]
        canvas[:, :, *box] += (
            pigment[index].astype(np.float32)[:, None, None] * (cover * (0.3 + 0.7 * pattern))[:, None]
        )
        masks[:, :index, *box] &= (cover < 0.5)[:, None]  # a later object hides earlier ones
        masks[:, index, *box] = cover >= 0.5
    canvas += (0.02 + 0.1 * clutter) * (rng.random(canvas.shape, np.float32) - 0.5)
    return (np.clip(canvas, 0, 1) * 255).astype(np.uint8), masks


def _ground(rng: np.random.Generator, clutter: float) -> Float32[np.ndarray, "height width"]:
    """Returns a grey ground with blotches as large as half an object: colourless, and of no texture."""
    blotches = np.kron(rng.random((SIZE // 8, SIZE // 8), np.float32), np.ones((8, 8), np.float32))
    return np.float32(rng.uniform(0.2, 0.5)) + np.float32(0.6 * clutter) * (blotches - 0.5)


def _box(
    objects: Objects, index: int
) -> tuple[tuple[slice, slice], Float32[np.ndarray, "segment rows 1"], Float32[np.ndarray, "segment 1 columns"]]:
    """Returns the part of the frame that the object never leaves, and every pixel's offset from its centre, by axis."""
    reach = objects.radius[:, index].max() + 1
    centre = objects.centre[:, index]
    low = np.maximum(np.floor(centre.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre.max(axis=0) + reach) + 1, SIZE).astype(int)
    rows = np.arange(low[0], high[0], dtype=np.float32)[None, :, None] - centre[:, 0, None, None]
    columns = np.arange(low[1], high[1], dtype=np.float32)[None, None, :] - centre[:, 1, None, None]
    return (slice(low[0], high[0]), slice(low[1], high[1])), rows, columns


def _distance(
    shape: int, rows: Float32[np.ndarray, "segment rows 1"], columns: Float32[np.ndarray, "segment 1 columns"]
) -> Float32[np.ndarray, "segment rows columns"]:
    """Returns the distance to the centre in the metric of a shape: disc, square, diamond or triangle."""
    if shape == 0:
        # the factors below give the four shapes about the same area
        return np.sqrt(rows**2 + columns**2)
    if shape == 1:
        return np.maximum(np.abs(rows), np.abs(columns)) * np.float32(1.13)
    if shape == 2:
        return (np.abs(rows) + np.abs(columns)) * np.float32(0.8)
    return np.maximum(rows + 2, np.abs(columns) * np.float32(1.6) - rows * np.float32(0.8))


def _pattern(
    texture: Int64[np.ndarray, " segment"],
    period: int,
    rows: Float32[np.ndarray, "segment rows 1"],
    columns: Float32[np.ndarray, "segment 1 columns"],
) -> Float32[np.ndarray, "segment rows columns"]:
    """Returns the texture of an object in [0, 1]; it moves with the object, in whole pixels."""
    row, column = np.rint(rows).astype(np.intp) % TILE, np.rint(columns).astype(np.intp) % TILE
    return _tiles()[texture[:, None, None], period, row, column]


@functools.cache
def _tiles() -> Float32[np.ndarray, "texture period height width"]:
    """Returns one drawing in [0, 1] per texture and period, in the order of `TEXTURES`."""
    row, column = np.mgrid[:TILE, :TILE]
    speckle = np.random.default_rng(0).random((TILE, TILE))
    drawn = [
        [
            np.full((TILE, TILE), 0.8),
            row % period < period / 2,
            column % period < period / 2,
            (row + column) % period < period / 2,
            (row % period < period / 2) ^ (column % period < period / 2),
            ((row % period - period / 2 + 0.5) ** 2 + (column % period - period / 2 + 0.5) ** 2) < period**2 / 10,
            (row % period < 1) | (column % period < 1),
            speckle < 0.5,
        ]
        for period in PERIODS
    ]
    return np.array(drawn, np.float32).swapaxes(0, 1).copy()
